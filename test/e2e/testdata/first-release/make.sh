#!/bin/bash
# Makes the data folder of the first release again: T=/path/to/trunklog of commit 4ff96b0 TEAMS=file.csv ./make.sh
# in an empty folder. It needs curl, python3 and two free ports.
set -e
P=${PORT:-28443} C=1a2b3c4d-0000-4000-8000-00000000c0de
$T tenant add contoso --data data --id $C --trunk sbc1.contoso.com --trunk sbc2.contoso.com --trunk sbc3.contoso.com
field() { python3 -c "import json,sys;print(json.load(open('$1'))['$2'])"; }
$T client create sbc --data data --tenant contoso --role CallRecords.Ingest -o json >client.json
$T gen --rows 200 --seed 1 --from 2026-10-01 --to 2026-10-02 | $T import graph --data data --tenant contoso -
$T import teams --data data --tenant contoso "$TEAMS"
$T gen --rows 40 --seed 2 --from 2026-10-03 --to 2026-10-04 --as hep >heard.hep
$T gen --rows 40 --seed 2 --from 2026-10-03 --to 2026-10-04 >heard.json
$T gen --rows 1 --seed 3 --from 2026-10-05 --to 2026-10-06 --as hep >open.hep
$T serve --data data --listen 127.0.0.1:$P --source "lab=hep+tcp://127.0.0.1:$((P+1))?tenant=contoso" --keep forever --keep-sip forever 2>log & S=$!
until curl -sko /dev/null https://127.0.0.1:$P/v1.0/; do sleep .1; done
K=$($T token --data data --tenant contoso --client "$(field client.json clientId)" --secret "$(field client.json clientSecret)")
post() { curl -sk --fail-with-body -H "Authorization: Bearer $K" -H 'Content-Type: application/x-ndjson' "$@" https://127.0.0.1:$P/ingest/v1/calls; echo; }
python3 - $((P+1)) <<'PY'
import socket, struct, sys
def packets(name):
    b, out = open(name, 'rb').read(), []
    while b:
        n = struct.unpack('>H', b[4:6])[0]
        out.append(b[:n]); b = b[n:]
    return out
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
s.sendall(b''.join(packets('heard.hep')))
s.sendall(b''.join(packets('open.hep')[:5]))
open('rest.hep', 'wb').write(b''.join(packets('open.hep')[5:]))
s.close()
PY
sleep 8
# What an SBC's record says of twenty of the calls that were heard, under ids of its own.
python3 - heard.json >cdr.json <<'PY'
import json, sys
n = 0
for line in open(sys.argv[1]):
    r = json.loads(line)
    n += 1
    if n > 20: break
    r['id'] = '5bc00000-0000-4000-8000-%012d' % n
    print(json.dumps({k: r[k] for k in ('id', 'correlationId', 'callType', 'startDateTime', 'endDateTime', 'duration', 'successfulCall', 'callerNumber', 'calleeNumber', 'trunkFullyQualifiedDomainName', 'finalSipCode') if r.get(k) is not None}))
PY
post --data-binary @cdr.json -H 'Idempotency-Key: the-first'
post --data-binary '{"event":"partial","call":"half-1","startDateTime":"2026-10-06T08:00:00Z","callerNumber":"+4930111111"}'
$T calls list --data data --tenant contoso --from 2026-09-01 --to 2026-11-01 --limit 0 -o json >rows.json || $T calls list --data data --tenant contoso --from 2026-09-01 --to 2026-11-01 -o json >rows.json
id=$(python3 -c "import json;print([r['id'] for r in json.load(open('rows.json')) if r['startDateTime'].startswith('2026-10-03')][0])")
echo $id >ladder.id
$T calls ladder $id --data data --tenant contoso --json >ladder.json
[ "$1" = killed ] && kill -9 $S || kill $S
wait $S || true
