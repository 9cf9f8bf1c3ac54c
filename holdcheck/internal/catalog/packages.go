package catalog

import "strings"

// IsStd reports whether a path is of the standard library. The first element decides,
// not that it has no dot: in GOPATH mode a program's own packages have none either.
func IsStd(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return standard[first]
}

var standard = set(`archive bufio bytes cmp compress container context crypto database debug embed encoding errors
	expvar flag fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp
	runtime slices sort strconv strings structs sync syscall testing text time unicode unique unsafe vendor weak`)

// Curated reports whether a package's functions are never looked into: the tables
// know which of them are slow, or none is.
func Curated(path string) bool {
	return IsStd(path) || Driver(path) || under(curatedPaths, path)
}

// Driver reports whether a package speaks SQL: what it does on the network, or with
// files, is what the connection is held for.
func Driver(path string) bool { return path == "database/sql" || under(driverPaths, path) }

// under reports whether a path, of any major version, is one of the set's or below.
func under(paths map[string]bool, path string) bool {
	path = withoutVersion(path)
	for !paths[path] {
		slash := strings.LastIndexByte(path, '/')
		if slash < 0 {
			return false
		}
		path = path[:slash]
	}
	return true
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

var driverPaths = set(`
	database/sql
	cloud.google.com/go/alloydbconn
	cloud.google.com/go/cloudsqlconn
	cloud.google.com/go/spanner
	entgo.io/ent
	gorm.io
	modernc.org/sqlite
	xorm.io
	ariga.io/atlas
	zombiezen.com/go/sqlite
	crawshaw.io/sqlite
	riverqueue.com/riverui
	vitess.io/vitess

	github.com/ClickHouse/ch-go
	github.com/ClickHouse/clickhouse-go
	github.com/DATA-DOG/go-sqlmock
	github.com/DATA-DOG/go-txdb
	github.com/GoogleCloudPlatform/cloudsql-proxy
	github.com/Masterminds/squirrel
	github.com/SAP/go-hdb
	github.com/XSAM/otelsql
	github.com/aarondl/opt
	github.com/aarondl/sqlboiler
	github.com/amacneil/dbmate
	github.com/astaxie/beego/orm
	github.com/avito-tech/go-transaction-manager
	github.com/beego/beego/client/orm
	github.com/blockloop/scan
	github.com/cockroachdb/cockroach-go
	github.com/doug-martin/goqu
	github.com/ent
	github.com/exaring/otelpgx
	github.com/fergusstrange/embedded-postgres
	github.com/georgysavva/scany
	github.com/glebarez/go-sqlite
	github.com/glebarez/sqlite
	github.com/go-gorm
	github.com/go-gorp/gorp
	github.com/go-jet/jet
	github.com/go-pg/pg
	github.com/go-rel/rel
	github.com/go-sql-driver/mysql
	github.com/go-testfixtures/testfixtures
	github.com/go-xorm
	github.com/gobuffalo/pop
	github.com/gocraft/dbr
	github.com/godror/godror
	github.com/golang-migrate/migrate
	github.com/huandu/go-sqlbuilder
	github.com/jackc
	github.com/jinzhu/gorm
	github.com/jmoiron/sqlx
	github.com/jzelinskie/go-sqlite3
	github.com/kyleconroy/sqlc
	github.com/leporo/sqlf
	github.com/lib/pq
	github.com/libsql/go-libsql
	github.com/lightningnetwork/lnd/sqldb
	github.com/luna-duclos/instrumentedsql
	github.com/mattn/go-sqlite3
	github.com/microsoft/go-mssqldb
	github.com/denisenkom/go-mssqldb
	github.com/ncruces/go-sqlite3
	github.com/ngrok/sqlmw
	github.com/nakagami/firebirdsql
	github.com/opengauss
	github.com/ory/pop
	github.com/peterldowns/pgtestdb
	github.com/pocketbase/dbx
	github.com/pressly/goose
	github.com/qustavo/sqlhooks
	github.com/riverqueue/river
	github.com/rubenv/sql-migrate
	github.com/sijms/go-ora
	github.com/simukti/sqldb-logger
	github.com/snowflakedb/gosnowflake
	github.com/sqlc-dev
	github.com/stephenafamo/bob
	github.com/stephenafamo/scan
	github.com/tursodatabase/go-libsql
	github.com/tursodatabase/libsql-client-go
	github.com/uptrace/bun
	github.com/uptrace/opentelemetry-go-extra
	github.com/volatiletech/null
	github.com/volatiletech/sqlboiler
	github.com/xo/dburl
	github.com/xorm-io
	github.com/zeromicro/go-zero/core/stores/sqlx

	gopkg.in/DATA-DOG/go-sqlmock.v1
	gopkg.in/gorp.v1
	gopkg.in/gorp.v2
	gopkg.in/gorp.v3
`)

// Some of these are slow, or call what they are given: each function that does has a
// row or a rule. A package whose functions mostly call others' belongs elsewhere.
var curatedPaths = set(`
	cel.dev/expr
	cloud.google.com/go
	charm.land
	connectrpc.com
	contrib.go.opencensus.io
	dario.cat/mergo
	filippo.io/edwards25519
	go.etcd.io/bbolt
	go.etcd.io/etcd
	go.mongodb.org/mongo-driver
	go.opencensus.io
	go.opentelemetry.io
	go.temporal.io
	go.uber.org
	go.yaml.in
	golang.org/x/arch
	golang.org/x/crypto
	golang.org/x/exp
	golang.org/x/image
	golang.org/x/mod
	golang.org/x/net
	golang.org/x/oauth2
	golang.org/x/sync
	golang.org/x/sys
	golang.org/x/term
	golang.org/x/text
	golang.org/x/time
	golang.org/x/tools
	gonum.org/v1/gonum
	google.golang.org/api
	google.golang.org/appengine
	google.golang.org/genproto
	google.golang.org/grpc
	google.golang.org/protobuf
	gotest.tools
	k8s.io
	nhooyr.io/websocket
	pgregory.net/rapid
	sigs.k8s.io

	github.com/Azure/azure-sdk-for-go
	github.com/Azure/go-autorest
	github.com/AzureAD/microsoft-authentication-library-for-go
	github.com/BurntSushi/toml
	github.com/DataDog/datadog-go
	github.com/DataDog/dd-trace-go
	github.com/IBM/sarama
	github.com/Masterminds/semver
	github.com/Masterminds/sprig
	github.com/Microsoft/go-winio
	github.com/Shopify/sarama
	github.com/alecthomas/kong
	github.com/anthropics/anthropic-sdk-go
	github.com/apex/log
	github.com/armon/go-metrics
	github.com/aws/aws-sdk-go
	github.com/aws/aws-sdk-go-v2
	github.com/aws/smithy-go
	github.com/beorn7/perks
	github.com/bytedance/sonic
	github.com/cactus/go-statsd-client
	github.com/census-instrumentation
	github.com/cespare/xxhash
	github.com/charmbracelet
	github.com/coder/websocket
	github.com/confluentinc/confluent-kafka-go
	github.com/coreos/go-oidc
	github.com/davecgh/go-spew
	github.com/docker/docker
	github.com/docker/go-connections
	github.com/docker/go-units
	github.com/dustin/go-humanize
	github.com/elastic/elastic-transport-go
	github.com/elastic/go-elasticsearch
	github.com/evanphx/json-patch
	github.com/fatih/color
	github.com/felixge/httpsnoop
	github.com/fsnotify/fsnotify
	github.com/getsentry/sentry-go
	github.com/gin-gonic/gin
	github.com/go-chi/chi
	github.com/go-chi/cors
	github.com/go-chi/render
	github.com/go-kit/kit/log
	github.com/go-kit/kit/metrics
	github.com/go-kit/log
	github.com/go-ldap/ldap
	github.com/go-logr
	github.com/go-openapi/strfmt
	github.com/go-playground
	github.com/go-redis/redis
	github.com/go-resty/resty
	github.com/go-task/slim-sprig
	github.com/goccy/go-json
	github.com/goccy/go-yaml
	github.com/gofiber/fiber
	github.com/gofrs/uuid
	github.com/gogo/protobuf
	github.com/golang/glog
	github.com/golang/groupcache/lru
	github.com/golang/mock
	github.com/golang/protobuf
	github.com/gomodule/redigo
	github.com/google/cel-go
	github.com/google/go-cmp
	github.com/google/pprof
	github.com/google/uuid
	github.com/google/wire
	github.com/googleapis
	github.com/gorilla/handlers
	github.com/gorilla/mux
	github.com/gorilla/schema
	github.com/gorilla/securecookie
	github.com/gorilla/websocket
	github.com/grpc-ecosystem
	github.com/hashicorp/go-hclog
	github.com/hashicorp/go-multierror
	github.com/hashicorp/go-version
	github.com/hashicorp/golang-lru
	github.com/hashicorp/hcl
	github.com/hibiken/asynq
	github.com/inconshreveable/mousetrap
	github.com/jinzhu/copier
	github.com/jinzhu/inflection
	github.com/jinzhu/now
	github.com/joho/godotenv
	github.com/josharian/intern
	github.com/json-iterator/go
	github.com/julienschmidt/httprouter
	github.com/kelseyhightower/envconfig
	github.com/klauspost/compress
	github.com/knadh/koanf
	github.com/labstack/echo
	github.com/labstack/gommon
	github.com/magiconair/properties
	github.com/mailru/easyjson
	github.com/mattn/go-colorable
	github.com/mattn/go-isatty
	github.com/matttproud/golang_protobuf_extensions
	github.com/microcosm-cc/bluemonday
	github.com/miekg/dns
	github.com/minio/minio-go
	github.com/mitchellh/copystructure
	github.com/mitchellh/mapstructure
	github.com/mitchellh/reflectwalk
	github.com/moby/moby
	github.com/modern-go
	github.com/munnerz/goautoneg
	github.com/nats-io/nats.go
	github.com/oklog/ulid
	github.com/onsi
	github.com/openai/openai-go
	github.com/opentracing/opentracing-go
	github.com/openzipkin/zipkin-go
	github.com/pelletier/go-toml
	github.com/pkg/errors
	github.com/pkg/sftp
	github.com/pmezard/go-difflib
	github.com/prometheus
	github.com/rabbitmq/amqp091-go
	github.com/redis/go-redis
	github.com/redis/rueidis
	github.com/rivo/uniseg
	github.com/rogpeppe/go-internal
	github.com/rs/cors
	github.com/rs/xid
	github.com/rs/zerolog
	github.com/sashabaranov/go-openai
	github.com/segmentio/kafka-go
	github.com/shopspring/decimal
	github.com/sirupsen/logrus
	github.com/smartystreets
	github.com/spf13
	github.com/streadway/amqp
	github.com/stretchr
	github.com/stripe/stripe-go
	github.com/subosito/gotenv
	github.com/tidwall
	github.com/twilio/twilio-go
	github.com/twitchtv/twirp
	github.com/twmb/franz-go
	github.com/uber-go
	github.com/uber/jaeger-client-go
	github.com/ugorji/go
	github.com/urfave/cli
	github.com/valyala/bytebufferpool
	github.com/valyala/fasthttp
	github.com/valyala/fastjson
	github.com/vmihailenco
	github.com/yuin/goldmark

	gopkg.in/DataDog/dd-trace-go.v1
	gopkg.in/inf.v0
	gopkg.in/ini.v1
	gopkg.in/natefinch/lumberjack.v2
	gopkg.in/yaml.v2
	gopkg.in/yaml.v3
`)
