#!/bin/sh
# Makes and updates Temporal's two databases. Running it again changes nothing.
set -eu

for database in temporal temporal_visibility; do
  schema=${database#temporal_}
  sql="temporal-sql-tool --plugin postgres12 --endpoint postgresql --port 5432 --user temporal --db $database"
  $sql create
  $sql setup-schema -v 0.0
  $sql update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
