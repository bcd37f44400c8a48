#!/bin/bash
# Makes the cluster, its user and its database on the first start, as POSTGRES_USER, _DB and _PASSWORD_FILE say.
set -euo pipefail
if [[ ! -s $PGDATA/PG_VERSION ]]; then
  password=$(mktemp)
  cat "$POSTGRES_PASSWORD_FILE" > "$password"
  initdb --username="$POSTGRES_USER" --pwfile="$password" --auth-local=trust --auth-host=scram-sha-256
  rm "$password"
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl --options="-c listen_addresses='' -c unix_socket_directories=/var/run/postgresql" --wait start
  createdb --host=/var/run/postgresql --username="$POSTGRES_USER" "$POSTGRES_DB" || [[ $POSTGRES_DB == "$POSTGRES_USER" ]]
  pg_ctl --wait stop
fi
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
