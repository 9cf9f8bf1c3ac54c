// An order that is paid for with a call to somebody else's service, at $PAY_URL.
const express = require('express')
const { Pool } = require('pg')

const pool = new Pool({ connectionString: process.env.DATABASE_URL }) // 10 connections, pg's default

const pay = async (op) => {
  const res = await fetch(process.env.PAY_URL, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': op },
    body: JSON.stringify({ op, account: 1, amount: 100 }),
  })
  if (!res.ok) throw new Error(`paying: ${res.status}`)
}

const insert = "INSERT INTO orders (state) VALUES ('new') RETURNING id"
const update = "UPDATE orders SET state = 'paid' WHERE id = $1"
const app = express()

// The transaction is open while the payment is under way.
app.post('/before', async (req, res) => {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    const { rows } = await client.query(insert)
    await pay(`order ${rows[0].id}`)
    await client.query(update, [rows[0].id])
    await client.query('COMMIT')
    res.json(rows[0])
  } catch (err) {
    await client.query('ROLLBACK')
    throw err
  } finally {
    client.release()
  }
})

// Two transactions, of one statement each. An order that stays new is paid for again, with
// the same key, by a job that looks for such orders.
app.post('/after', async (req, res) => {
  const { rows } = await pool.query(insert)
  await pay(`order ${rows[0].id}`)
  await pool.query(update, [rows[0].id])
  res.json(rows[0])
})

app.listen(Number(process.env.PORT), '127.0.0.1')
