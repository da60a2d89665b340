#!/bin/sh
# Run once by the postgres image on an empty volume: the application's role and its database.
set -eu
psql -X -q -v ON_ERROR_STOP=1 -v password="${DROVER_PASSWORD:-drover}" --username postgres <<'EOF'
CREATE ROLE drover LOGIN NOSUPERUSER NOBYPASSRLS CREATEROLE CREATEDB PASSWORD :'password';
CREATE DATABASE drover OWNER drover;
EOF
