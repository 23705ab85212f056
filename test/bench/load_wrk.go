package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"
)

// Wrk is a second client, if it is installed: a well-known one, and one that
// takes more of the processor for each answer than ours does. The targets were
// set with it.

// wrkRequests is how many requests wrk is given to choose from.
const wrkRequests = 1024

// wrkScript makes wrk send one of the requests in a file at random. Every
// request has its length in front.
const wrkScript = `local requests = {}
local f = io.open(%q, "rb")
while true do
	local n = f:read("*n", 1)
	if not n then break end
	requests[#requests + 1] = f:read(n)
end
f:close()
math.randomseed(%d)
request = function() return requests[math.random(#requests)] end
`

// runWrk does what run does, by one thread of wrk at path.
func (l load) runWrk(ctx context.Context, path, dir string, t target) (rate, p50, p99 float64, err error) {
	r := rand.New(rand.NewPCG(l.seed, 0)) //nolint:gosec // nothing here is a secret
	var list, request []byte
	for range wrkRequests {
		request = t.request(request[:0], r)
		list = append(fmt.Appendf(list, "%d\n", len(request)), request...)
		list = append(list, '\n')
	}
	file, script := dir+"/wrk-requests", dir+"/wrk.lua"
	err = errors.Join(
		os.WriteFile(file, list, 0o600),
		os.WriteFile(script, fmt.Appendf(nil, wrkScript, file, l.seed), 0o600))
	if err != nil {
		return 0, 0, 0, err
	}
	seconds := int((l.length + time.Second - 1) / time.Second)
	out, err := output(ctx, path, "-t1", "-c"+strconv.Itoa(l.clients), "-d"+strconv.Itoa(seconds)+"s", "--latency", "--timeout", "30s", "-s", script, "http://"+t.addr+"/")
	if err != nil {
		return 0, 0, 0, err
	}
	return parseWrk(out)
}

// parseWrk reads what wrk prints: requests a second, and two percentiles in
// milliseconds.
func parseWrk(out []byte) (rate, p50, p99 float64, err error) {
	for line := range bytes.Lines(out) {
		f := strings.Fields(string(line))
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "Requests/sec:":
			rate, err = strconv.ParseFloat(f[1], 64)
		case "50%":
			p50, err = wrkTime(f[1])
		case "99%":
			p99, err = wrkTime(f[1])
		case "Non-2xx", "Socket":
			err = fmt.Errorf("wrk: %s", bytes.TrimSpace(line))
		}
		if err != nil {
			return 0, 0, 0, err
		}
	}
	if rate == 0 || p50 == 0 || p99 == 0 {
		return 0, 0, 0, fmt.Errorf("wrk prints what it did not use to: %.300s", out)
	}
	return rate, p50, p99, nil
}

// wrkTime reads a time such as 1.23ms.
func wrkTime(s string) (float64, error) {
	d, err := time.ParseDuration(s)
	return milliseconds(d), err
}
