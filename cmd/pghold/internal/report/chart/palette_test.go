package chart

import (
	"fmt"
	"math"
	"testing"
)

// Marks that stand in one legend are told from each other by those who see no red, no
// green or no blue, too: by at least so much of CIE 1976's difference (2.3 is just to be
// noticed).
const leastDifference = 15

// sight are what others see of red, green and blue light, where they see nothing of one
// of them (Machado, Oliveira and Fernandes 2009, severity 1).
var sight = map[string][3][3]float64{
	"all colours": {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"no red": {
		{0.152286, 1.052583, -0.204868},
		{0.114503, 0.786281, 0.099216},
		{-0.003882, -0.048116, 1.051998},
	},
	"no green": {
		{0.367322, 0.860646, -0.227968},
		{0.280085, 0.672501, 0.047413},
		{-0.011820, 0.042940, 0.968881},
	},
	"no blue": {
		{1.255528, -0.076749, -0.178779},
		{-0.078411, 0.930809, 0.147602},
		{0.004733, 0.691367, 0.303900},
	},
}

func TestColors_canBeToldApart(t *testing.T) {
	for legend, marks := range map[string][]Mark{"connections": Connections(), "time": Waits()} {
		for who, sees := range sight {
			for i, a := range marks {
				for _, b := range marks[i+1:] {
					for scheme, pair := range map[string][2]string{"light": {a.light, b.light}, "dark": {a.dark, b.dark}} {
						if d := difference(t, sees, pair[0], pair[1]); d < leastDifference {
							t.Errorf("%s, %s, who sees %s: %q and %q differ by %.1f, want at least %d", legend, scheme, who, a.Words, b.Words, d, leastDifference)
						}
					}
				}
			}
		}
	}
}

// Outcomes differ in their shapes.
func TestOutcomes_haveShapes(t *testing.T) {
	seen := map[string]string{}
	for _, m := range Outcomes() {
		if other := seen[m.shape]; other != "" || m.shape == "" {
			t.Errorf("%q has the shape %q of %q", m.Words, m.shape, other)
		}
		seen[m.shape] = m.Words
	}
}

// difference is how far two colours are apart in CIELAB, as somebody sees them.
func difference(t *testing.T, sees [3][3]float64, a, b string) float64 {
	x, y := lab(seen(t, sees, a)), lab(seen(t, sees, b))
	return math.Hypot(math.Hypot(x[0]-y[0], x[1]-y[1]), x[2]-y[2])
}

// seen is the linear light of a colour, as somebody sees it.
func seen(t *testing.T, sees [3][3]float64, hex string) (light [3]float64) {
	t.Helper()
	var bytes [3]int
	if _, err := fmt.Sscanf(hex, "#%02x%02x%02x", &bytes[0], &bytes[1], &bytes[2]); err != nil {
		t.Fatalf("%q: %v", hex, err)
	}
	for i, row := range sees {
		for k, share := range row {
			light[i] += share * linear(bytes[k])
		}
		light[i] = min(max(light[i], 0), 1)
	}
	return light
}

// linear is the light of a byte in sRGB, from 0 to 1.
func linear(b int) float64 {
	v := float64(b) / 255
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

// lab is linear light in CIELAB, under D65.
func lab(rgb [3]float64) [3]float64 {
	f := func(share [3]float64, white float64) float64 {
		v := (share[0]*rgb[0] + share[1]*rgb[1] + share[2]*rgb[2]) / white
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x := f([3]float64{0.4124564, 0.3575761, 0.1804375}, 0.95047)
	y := f([3]float64{0.2126729, 0.7151522, 0.0721750}, 1)
	z := f([3]float64{0.0193339, 0.1191920, 0.9503041}, 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}
