package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/joho/godotenv"
)

// loadFile sets the variables of a settings file that the environment does not have.
func loadFile(file string) error {
	return describe(file, godotenv.Load(file))
}

// readFile returns the variables of a settings file.
func readFile(file string) (map[string]string, error) {
	settings, err := godotenv.Read(file)
	return settings, describe(file, err)
}

// describe replaces an error about the content of a file: godotenv's has the line that is wrong,
// which may be a secret.
func describe(file string, err error) error {
	if err == nil {
		return nil
	}
	if errors.As(err, new(*fs.PathError)) {
		return fmt.Errorf("settings file: %w", err)
	}
	text, read := os.ReadFile(file)
	if read != nil {
		return fmt.Errorf("settings file: %w", read)
	}
	line, name := wrongLine(string(text))
	return fmt.Errorf("settings file %s, line %d%s: want NAME=value; a value in quotes ends with the same quote", file, line, name)
}

var settingName = regexp.MustCompile(`^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*(?:[=:]|\s|$)`)

// wrongLine returns the number of the first line from which on a text has no settings, and its name
// in parentheses, if it has one that cannot be a value.
func wrongLine(text string) (number int, name string) {
	lines := strings.Split(text, "\n")
	good := 0
	for n := len(lines); n > 0; n-- {
		if _, err := godotenv.Unmarshal(strings.Join(lines[:n], "\n")); err == nil {
			good = n
			break
		}
	}
	if found := settingName.FindStringSubmatch(lines[good]); found != nil {
		name = " (" + found[1] + ")"
	}
	return good + 1, name
}
