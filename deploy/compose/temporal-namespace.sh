#!/bin/sh
# Makes the namespace, with 30 days of retention, if it is not there.
set -eu

if ! temporal operator namespace describe --namespace "$NAMESPACE" >/dev/null 2>&1; then
  temporal operator namespace create --namespace "$NAMESPACE" --retention 30d
fi
