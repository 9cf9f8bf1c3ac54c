package holdcheck
import ("testing";"os";"fmt";"strings";"strconv")
func TestZZ(t *testing.T) {
	b, _ := os.ReadFile(os.Getenv("ZZ"))
	l := strings.Split(string(b), "\n")
	x, err := strconv.Unquote(strings.TrimSuffix(strings.TrimPrefix(l[1], "[]byte("), ")"))
	if err != nil { t.Fatal(err) }
	sp, _ := strconv.Unquote(l[2][len("uint16("):len(l[2])-1]); _ = sp
	n, _ := strconv.Atoi(l[2][len("uint16("):len(l[2])-1])
	src := generate([]byte(x)); if n != 0 { src = spoiled(src, uint16(n)) }
	os.WriteFile("/tmp/hvet/zz.go", []byte(src), 0o666)
	first, _ := fuzzCheck(t, src)
	os.WriteFile("/tmp/hvet/a.json", []byte(first), 0o666)
	for i := range 60 {
		again, _ := fuzzCheck(t, src)
		if again != first { os.WriteFile("/tmp/hvet/b.json", []byte(again), 0o666); t.Fatal(fmt.Sprint("differs at ", i)) }
	}
}
