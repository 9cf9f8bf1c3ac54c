package browser

var Find = find
