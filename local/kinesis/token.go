package kinesis

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
)

// signatureSize is how much of the HMAC a token carries, in bytes.
const signatureSize = 16

// seal makes a token of a value, which only this server can: a made-up token is refused as AWS
// refuses it, and a token outlives a restart.
func (s *Server) seal(kind string, value any) string {
	content, err := json.Marshal(value)
	if err != nil {
		panic(err) // the values are plain structs
	}
	return base64.StdEncoding.EncodeToString(append(s.mac(kind, content), content...))
}

// unseal reads a token of that kind.
func (s *Server) unseal(kind, token string, value any) error {
	content, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(content) < signatureSize || !hmac.Equal(content[:signatureSize], s.mac(kind, content[signatureSize:])) {
		return errors.New("the token was not made by this server")
	}
	return json.Unmarshal(content[signatureSize:], value)
}

func (s *Server) mac(kind string, content []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(kind + "\x00"))
	mac.Write(content)
	return mac.Sum(nil)[:signatureSize]
}
