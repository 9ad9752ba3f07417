package main

import (
	"context"
	"errors"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/internal/run"
)

// Schedules by their ids.

func (f *fakeTemporal) ScheduleClient() client.ScheduleClient { return &fakeSchedules{temporal: f} }

type fakeSchedules struct {
	client.ScheduleClient
	temporal *fakeTemporal
}

func (s *fakeSchedules) Create(_ context.Context, o client.ScheduleOptions) (client.ScheduleHandle, error) {
	s.temporal.schedules[o.ID] = described(o.Spec, *o.Action.(*client.ScheduleWorkflowAction),
		client.SchedulePolicies{Overlap: o.Overlap, CatchupWindow: o.CatchupWindow}, &client.ScheduleState{Paused: o.Paused, Note: o.Note})
	s.temporal.info.CreatedAt = noon
	return nil, nil
}

func (s *fakeSchedules) GetHandle(_ context.Context, id string) client.ScheduleHandle {
	return &fakeSchedule{temporal: s.temporal, id: id}
}

// described is a Schedule as the server gives it back: with the defaults filled in, its input
// encoded.
func described(spec client.ScheduleSpec, action client.ScheduleWorkflowAction, policy client.SchedulePolicies, state *client.ScheduleState) *client.Schedule {
	encoded := []any{}
	for _, arg := range action.Args {
		payload, err := converter.GetDefaultDataConverter().ToPayload(arg)
		if err != nil {
			panic(err)
		}
		encoded = append(encoded, payload)
	}
	action.Args = encoded
	filled := func(all []client.ScheduleRange, first, last int) []client.ScheduleRange {
		if len(all) == 0 {
			return []client.ScheduleRange{{Start: first, End: last, Step: 1}}
		}
		for i, r := range all {
			all[i] = client.ScheduleRange{Start: r.Start, End: max(r.Start, r.End), Step: max(1, r.Step)}
		}
		return all
	}
	for i, c := range spec.Calendars {
		spec.Calendars[i] = client.ScheduleCalendarSpec{
			Second: filled(c.Second, 0, 0), Minute: filled(c.Minute, 0, 0), Hour: filled(c.Hour, 0, 0),
			DayOfMonth: filled(c.DayOfMonth, 1, 31), Month: filled(c.Month, 1, 12), DayOfWeek: filled(c.DayOfWeek, 0, 6), Year: c.Year,
		}
	}
	return &client.Schedule{Spec: &spec, Action: &action, Policy: &policy, State: state}
}

type fakeSchedule struct {
	client.ScheduleHandle
	temporal *fakeTemporal
	id       string
}

func (s *fakeSchedule) there() error {
	if s.temporal.schedules[s.id] == nil {
		return serviceerror.NewNotFound("schedule not found")
	}
	return nil
}

func (s *fakeSchedule) Describe(context.Context) (*client.ScheduleDescription, error) {
	if err := errors.Join(s.temporal.err, s.there()); err != nil {
		return nil, err
	}
	return &client.ScheduleDescription{Schedule: *s.temporal.schedules[s.id], Info: s.temporal.info}, nil
}

func (s *fakeSchedule) Update(_ context.Context, o client.ScheduleUpdateOptions) error {
	update, err := o.DoUpdate(client.ScheduleUpdateInput{Description: client.ScheduleDescription{Schedule: *s.temporal.schedules[s.id]}})
	if err != nil {
		return err
	}
	s.temporal.schedules[s.id] = described(*update.Schedule.Spec, *update.Schedule.Action.(*client.ScheduleWorkflowAction), *update.Schedule.Policy, update.Schedule.State)
	return nil
}

func (s *fakeSchedule) Pause(_ context.Context, o client.SchedulePauseOptions) error {
	if err := s.there(); err != nil {
		return err
	}
	s.temporal.schedules[s.id].State = &client.ScheduleState{Paused: true, Note: o.Note}
	return nil
}

func (s *fakeSchedule) Unpause(_ context.Context, o client.ScheduleUnpauseOptions) error {
	if err := s.there(); err != nil {
		return err
	}
	s.temporal.schedules[s.id].State = &client.ScheduleState{Note: o.Note}
	return nil
}

func (s *fakeSchedule) Delete(context.Context) error {
	if err := s.there(); err != nil {
		return err
	}
	delete(s.temporal.schedules, s.id)
	return nil
}

// schedule returns the Schedule of the pipeline.
func (w *world) schedule() *client.Schedule {
	return w.temporal.schedules[run.DefaultDeployment.ScheduleID(pipeline)]
}
