package pghold

import "slices"

// grown keeps amounts from going down. A snapshot may count under Folded what an earlier
// one has told apart. So a row keeps what it had, and what a pool has more than before
// goes to the routes that have grown, and within them to the names that have; what is
// left of it to Folded. No row goes down, and together they are what the snapshot has.
type grown struct {
	rest string             // the name that takes what is left of a route, "" where rows have no names
	had  map[rowKey]amounts // as they were given out
}

// amounts are what a row counts: so many, and so long in nanoseconds.
type amounts [5]int64

// next takes what the snapshot has, and returns what is to be given out.
func (g *grown) next(now map[rowKey]amounts) map[rowKey]amounts {
	if g.had == nil {
		g.had = map[rowKey]amounts{}
	}
	for i := range len(amounts{}) {
		pools, routes, keys := map[string]int64{}, map[rowKey]int64{}, map[rowKey][]rowKey{}
		for k, c := range now {
			route := rowKey{pool: k.pool, route: k.route}
			pools[k.pool] += c[i]
			routes[route] += c[i]
			keys[route] = append(keys[route], k)
		}
		for k, c := range g.had {
			pools[k.pool] -= c[i]
			routes[rowKey{pool: k.pool, route: k.route}] -= c[i]
		}
		give := func(k rowKey, n int64) int64 {
			n = max(0, n)
			if c, there := g.had[k]; n > 0 || !there && now[k] == (amounts{}) { // one that has nothing yet is a row, too
				c[i] += n
				g.had[k] = c
			}
			return n
		}
		giveRoute := func(route rowKey, n int64) {
			slices.SortFunc(keys[route], compareRowKeys)
			for _, k := range keys[route] {
				if k.what != Folded {
					n -= give(k, min(now[k][i]-g.had[k][i], n))
				}
			}
			if n > 0 {
				give(rowKey{route.pool, route.route, g.rest}, n)
			}
		}
		for _, route := range rowKeys(routes) {
			if n := max(0, min(routes[route], pools[route.pool])); route.route != Folded {
				giveRoute(route, n)
				pools[route.pool] -= n
			}
		}
		for pool, n := range pools {
			if n > 0 {
				giveRoute(rowKey{pool: pool, route: Folded}, n)
			}
		}
	}
	return g.had
}
