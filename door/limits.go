package door

// The figures of a server's door; see docs/limits.md.
const (
	// mostConnections is how many connections there may be if the files that the
	// process may open allow more. Each takes 30 to 60 kB.
	mostConnections = 16_384
	// storeFiles are the files that are left to the store: a thousand tables that
	// it keeps open, its logs, and those of backups and compactions.
	storeFiles = 1_200
	// eachShare is the part of all connections that one address may have.
	eachShare = 8
)

// GoodFiles is how many files a server should be allowed to have open.
const GoodFiles = 4_096

// ServerLimits returns the limits of a server that may have so many files open
// (0 if nobody knows) and was told to take so many connections (0 if it was told
// nothing). What it was told is never more than what leaves the store its files.
func ServerLimits(files, told int) Limits {
	room := mostConnections
	if files > 0 {
		room = files - storeFiles
		if files < 2*storeFiles {
			room = files / 2 // too few for both; see [GoodFiles]
		}
	}
	all := min(room, mostConnections)
	if told > 0 {
		all = min(room, told)
	}
	return Limits{All: max(all, 1), Each: max(all/eachShare, 16)}
}
