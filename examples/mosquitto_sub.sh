#!/bin/sh
# What an application's agreements cover, with the licence of each message. APPLICATION: what POST /api/v1/applications answered.
set -eu
say() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["mqtt"][sys.argv[2]])' "$APPLICATION" "$1"; }

exec mosquitto_sub -V 5 -h "$(say host)" -p "$(say port)" -u "$(say username)" -P "$(say password)" \
    -i "$(say client_id_prefix)sub" -q 1 -t 'live/#' -F '%t %P %p' ${COUNT:+-C "$COUNT"}
