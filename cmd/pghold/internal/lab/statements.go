package lab

import "strings"

// setup makes the lab's tables.
func (db *Database) setup() string {
	comment := "null"
	if db.keeper != nil {
		comment = "'" + schemaComment + "'"
	}
	return db.in(`
		begin;
		create schema SCHEMA;
		comment on schema SCHEMA is ` + comment + `;
		create table SCHEMA.users (id int primary key, name text not null);
		insert into SCHEMA.users values (1, 'John Doe');
		create table SCHEMA.visits (id bigint generated always as identity primary key, user_id int not null, at timestamptz not null default now());

		-- the group "price"
		create table SCHEMA.accounts (id int primary key, balance int not null, version int not null, leased_by text, leased_until timestamptz);
		create table SCHEMA.payments (op text primary key, account int not null);
		create table SCHEMA.outbox (op text primary key, account int not null, keyed bool not null, claimed_until timestamptz, done bool not null default false);
		create index on SCHEMA.outbox (op) where not done;
		commit`)
}

// teardown drops what setup has made and nothing more: it fails where there is more.
func (db *Database) teardown() string {
	return db.in(`
		drop table SCHEMA.users, SCHEMA.visits, SCHEMA.accounts, SCHEMA.payments, SCHEMA.outbox;
		drop schema SCHEMA`)
}

// in names the schema in a statement.
func (db *Database) in(sql string) string { return strings.ReplaceAll(sql, "SCHEMA", db.schema) }

// statements are the app's.
type statements struct {
	selectUser, insertVisit string

	selectAccount, lockAccount                                       string
	setBalance, setBalanceOfVersion, setBalanceOfLease, addToBalance string
	takeLease, insertPayment                                         string

	insertOutbox, claim, endOutbox string
}

func statementsOf(db *Database) statements {
	return statements{
		selectUser:  db.in(`select id, name from SCHEMA.users where id = $1`),
		insertVisit: db.in(`insert into SCHEMA.visits (user_id) values ($1)`),

		selectAccount: db.in(`select balance, version from SCHEMA.accounts where id = $1`),
		lockAccount:   db.in(`select balance, version from SCHEMA.accounts where id = $1 for update`),

		setBalance:          db.in(`update SCHEMA.accounts set balance = $2, version = version + 1 where id = $1`),
		setBalanceOfVersion: db.in(`update SCHEMA.accounts set balance = $2, version = version + 1 where id = $1 and version = $3`),
		setBalanceOfLease:   db.in(`update SCHEMA.accounts set balance = $2, leased_by = null where id = $1 and leased_by = $3`),
		addToBalance:        db.in(`update SCHEMA.accounts set balance = balance + $2 where id = $1`),

		takeLease: db.in(`update SCHEMA.accounts set leased_by = $2, leased_until = now() + $3::interval
			where id = $1 and (leased_by is null or leased_until < now()) returning balance`),
		insertPayment: db.in(`insert into SCHEMA.payments (op, account) values ($1, $2)`),

		insertOutbox: db.in(`insert into SCHEMA.outbox (op, account, keyed) values ($1, $2, $3)`),
		claim: db.in(`update SCHEMA.outbox set claimed_until = now() + $1::interval where op = (
			select op from SCHEMA.outbox where not done and (claimed_until is null or claimed_until < now())
			limit 1 for update skip locked) returning op, account, keyed`),
		endOutbox: db.in(`update SCHEMA.outbox set done = true where op = $1`),
	}
}
