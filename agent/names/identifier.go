package names

// identifiers holds the check digits of each numeric member; the lengths are checked before.
var identifiers = map[string]func(d []int) bool{
	"inn":    innPerson,
	"innLe":  innEntity,
	"snils":  snils,
	"ogrn":   func(d []int) bool { return (d[0] == 1 || d[0] == 5) && registration(d, 11) },
	"ogrnip": func(d []int) bool { return d[0] == 3 && registration(d, 13) },
}

func digits(s string, n int) ([]int, bool) {
	if len(s) != n {
		return nil, false
	}
	d := make([]int, n)
	for i := range d {
		if s[i] < '0' || s[i] > '9' {
			return nil, false
		}
		d[i] = int(s[i] - '0')
	}
	return d, true
}

// innWeights: the check digit at place n of an INN takes the last n of these (order of the tax service of 29.06.2012 No. MMV-7-6/435@).
var innWeights = []int{3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8}

func innDigit(d []int, place int) bool {
	sum := 0
	for i, w := range innWeights[len(innWeights)-place:] {
		sum += w * d[i]
	}
	return sum%11%10 == d[place]
}

func innEntity(d []int) bool { return innDigit(d, 9) }

// A person's INN has two check digits. A legal entity's, padded with 00 as it stood there before 2021, is innLe now.
func innPerson(d []int) bool { return innDigit(d, 10) && innDigit(d, 11) }

// snils: the pension fund's number; numbers up to 001-001-998 carry no check digits.
func snils(d []int) bool {
	sum, number := 0, 0
	for i := range 9 {
		sum += (9 - i) * d[i]
		number = number*10 + d[i]
	}
	return number <= 1001998 || sum%101%100 == d[9]*10+d[10]
}

// registration: the last digit is the rest of all before it by m, its last digit (m is 11 for OGRN, 13 for OGRNIP).
func registration(d []int, m int) bool {
	rest := 0
	for _, x := range d[:len(d)-1] {
		rest = (rest*10 + x) % m
	}
	return rest%10 == d[len(d)-1]
}
