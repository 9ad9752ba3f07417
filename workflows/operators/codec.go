package operators

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Codec records operators in histories. What it has encoded must be decoded by every later
// build for as long as a run can be open.
type Codec interface {
	Encode(Operator) (json.RawMessage, error)
	Decode(json.RawMessage) (Operator, error)
}

// ByName is the Codec of production: the types of operators by their names. A recorded
// operator is a JSON object with its name as the only key, as in {"notebook": {"name": "query"}}. A
// name is for ever: open runs have recorded it.
//
// So is a setting: what a build does not know blocks the run or the request until a build has it,
// because without the setting it would be other work. A setting that is not used must not be
// recorded (omitempty), so that a build that is rolled back blocks only the runs that use it.
type ByName map[string]Operator

// Default holds the operators of this package. A new type of operator is an entry here.
var Default = ByName{"load": Load{}, "notebook": Notebook{}}

// Encode returns the operator as JSON. Its type must have a name.
func (o ByName) Encode(op Operator) (json.RawMessage, error) {
	for _, name := range o.names() {
		if reflect.TypeOf(o[name]) == reflect.TypeOf(op) {
			return json.Marshal(map[string]Operator{name: op})
		}
	}
	return nil, fmt.Errorf("operator %T has no name under which a run can record it: add it to operators.Default", op)
}

// Decode returns the operator for its JSON. The error of an unknown name or setting is not the run's
// fault: a build that has it can continue the run.
func (o ByName) Decode(recorded json.RawMessage) (Operator, error) {
	var named map[string]json.RawMessage
	if err := json.Unmarshal(recorded, &named); err != nil || len(named) != 1 {
		return nil, fmt.Errorf("operator %s: want an object with one key, the name of the operator", recorded)
	}
	name := slices.Collect(maps.Keys(named))[0] //workflowcheck:ignore // one key
	zero, ok := o[name]
	if !ok {
		return nil, fmt.Errorf("operator %q is unknown to this build, which has %s: deploy a build that has it", name, strings.Join(o.names(), ", "))
	}
	op := reflect.New(reflect.TypeOf(zero))
	settings := json.NewDecoder(bytes.NewReader(named[name]))
	settings.DisallowUnknownFields()
	if err := settings.Decode(op.Interface()); err != nil {
		return nil, fmt.Errorf("operator %q has settings that this build does not know (%w): deploy a build that knows them", name, err)
	}
	return op.Elem().Interface().(Operator), nil
}

func (o ByName) names() []string {
	return slices.Sorted(maps.Keys(o)) //workflowcheck:ignore // sorted
}
