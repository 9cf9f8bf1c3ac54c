// Package bcrypt is a stub.
package bcrypt

func GenerateFromPassword(password []byte, cost int) ([]byte, error) { return password, nil }
func CompareHashAndPassword(hash, password []byte) error             { return nil }
func Cost(hash []byte) (int, error)                                  { return 10, nil }
