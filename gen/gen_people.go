package gen

import (
	"strconv"

	"github.com/trunklog/trunklog/call"
)

// A person is a user of Teams, or a bot: an auto attendant or a call queue.
type person struct {
	id      call.GUID
	address string // userPrincipalName
	name    string
	number  string // E.164
	site    *site
	units   []call.GUID // administrative units
}

// A site is a place of the company, with numbers of its own.
type site struct {
	share   uint64 // of 1,000 people
	country string // ISO 3166-1 alpha-2
	prefix  string // of its numbers; five digits follow
	signal  string // signalingLocation
	media   string // mediaPathLocation
	masked  int    // digits of other parties that Microsoft masks; 0 if it does not
}

// Microsoft has published no list of the codes of its locations: these follow the pattern of the
// few that its pages show. Source of the number of masked digits: learn.microsoft.com, "PSTN usage
// report", on phone number obfuscation.
var sites = [...]site{
	{400, "DE", "+493022610", "EUWE", "EUWE", 3},
	{200, "US", "+142555", "USWE", "USWE2", 0},
	{120, "GB", "+4420794", "EUNO", "UKSO", 0},
	{90, "FR", "+331990", "EUWE", "FRCE", 4},
	{70, "DK", "+45700", "EUNO", "EUNO", 3},
	{60, "CH", "+414350", "EUWE", "CHNO", 4},
	{60, "IN", "+9180670", "ASEA", "INCE", 0},
}

// newPeople makes up the people and bots of a company.
func newPeople(seed uint64, users int) (people, bots []person) {
	units := make([]call.GUID, 12)
	for i := range units {
		r := stream(seed, streamPerson, 1<<40+uint64(i))
		units[i] = r.guid(4)
	}
	taken := make(map[string]int, users)
	people = make([]person, users)
	for i := range people {
		r := stream(seed, streamPerson, uint64(i))
		name, address := r.name()
		// Two people of the same name have addresses that differ by a number.
		if taken[address]++; taken[address] > 1 {
			address += strconv.Itoa(taken[address])
		}
		p := person{id: r.guid(4), address: address + "@contoso.com", name: name, site: r.site()}
		p.number = extension(p.site, uint64(i))
		for range r.below(3) {
			p.units = append(p.units, units[r.below(uint64(len(units)))])
		}
		people[i] = p
	}
	bots = make([]person, 3+users/100)
	for i := range bots {
		r := stream(seed, streamBot, uint64(i))
		bots[i].site = r.site()
		bots[i].number = extension(bots[i].site, uint64(users+i))
	}
	return people, bots
}

func (r *rng) site() *site {
	n := r.below(1000)
	for i := range sites {
		if n < sites[i].share {
			return &sites[i]
		}
		n -= sites[i].share
	}
	return &sites[0]
}

func extension(s *site, n uint64) string { return string(appendDigits([]byte(s.prefix), n, 5)) }

// appendDigits appends n with at least the given number of digits.
func appendDigits(b []byte, n uint64, digits int) []byte {
	for p := pow10(digits - 1); p > max(n, 1); p /= 10 {
		b = append(b, '0')
	}
	return strconv.AppendUint(b, n, 10)
}

func pow10(n int) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

// A trunk is an SBC and what Microsoft knows of it.
type trunk struct {
	host   string
	bypass bool
}

func newTrunks(hosts []string) []trunk {
	trunks := make([]trunk, len(hosts))
	for i, h := range hosts {
		trunks[i] = trunk{host: h, bypass: i%2 == 1}
	}
	return trunks
}

// The parties outside of the company. A party's identity is a number: a few thousand call often, a
// million or two now and then.
const (
	regulars = 1 << 12
	parties  = 1 << 21
)

func (r *rng) anyParty() uint64 {
	if r.chance(450) {
		return min(r.below(regulars), r.below(regulars))
	}
	return regulars + r.below(parties)
}

// A country is where the other party may be.
type country struct {
	share  uint64 // of 1,000 parties
	name   string // ISO 3166-1 alpha-2
	prefix string
	digits int // that follow the prefix
}

var countries = [...]country{
	{260, "DE", "+4930", 8},
	{120, "DE", "+49151", 8},
	{150, "US", "+1206", 7},
	{60, "US", "+1212", 7},
	{80, "GB", "+4420", 8},
	{60, "GB", "+447", 9},
	{60, "FR", "+331", 8},
	{50, "CH", "+4144", 7},
	{40, "AT", "+431", 7},
	{40, "DK", "+45", 8},
	{30, "IN", "+9180", 8},
	{20, "JP", "+813", 8},
	{10, "AU", "+612", 8},
	{10, "BR", "+5511", 9},
	{5, "IS", "+354", 7},
	{5, "IT", "+3902", 8},
}

// appendParty appends the number of a party to b and returns its country.
func appendParty(b []byte, seed, party uint64) ([]byte, string) {
	r := stream(seed, streamParty, party)
	n := r.below(1000)
	c := &countries[0]
	for i := range countries {
		if c = &countries[i]; n < c.share {
			break
		}
		n -= c.share
	}
	b = append(b, c.prefix...)
	lo := pow10(c.digits - 1)
	return strconv.AppendUint(b, r.between(lo, 10*lo), 10), c.name
}

// titles is what an SBC may send in place of the caller's number.
var titles = [...]string{
	"anonymous", "anonymous", "anonymous", "Anonymous", "Internal Revenue Service", "Unavailable", "restricted",
	"Zahnärztlicher Notdienst", "UNKNOWN CALLER", "Lotto",
}
