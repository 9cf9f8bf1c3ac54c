package catalog

import "go/types"

// In these tables arguments are counted from 0, the receiver first.

// Joins wait for goroutines.
var joins = newTable(map[string]bool{
	"(*sync.WaitGroup).Wait":                                         true,
	"(*golang.org/x/sync/errgroup.Group).Wait":                       true,
	"(*github.com/sourcegraph/conc.WaitGroup).{Wait,WaitAndRecover}": true,
	"(*github.com/sourcegraph/conc/pool.{Pool,ContextPool,ErrorPool,ResultPool,ResultContextPool,ResultErrorPool}).Wait": true,
	"(*github.com/sourcegraph/conc/stream.Stream).Wait":                                                                  true,
	"(*github.com/oklog/run.Group).Run":                                                                                  true,
})

// Spawns run an argument in a goroutine.
var spawns = newTable(map[string]int{
	"(*sync.WaitGroup).Go": 1,
	"time.AfterFunc":       1,
	"context.AfterFunc":    1,
	"(*golang.org/x/sync/errgroup.Group).{Go,TryGo}":                                                                   1,
	"(*golang.org/x/sync/singleflight.Group).DoChan":                                                                   2,
	"(*github.com/sourcegraph/conc.WaitGroup).Go":                                                                      1,
	"(*github.com/sourcegraph/conc/pool.{Pool,ContextPool,ErrorPool,ResultPool,ResultContextPool,ResultErrorPool}).Go": 1,
	"(*github.com/sourcegraph/conc/stream.Stream).Go":                                                                  1,
	"(*github.com/panjf2000/ants.Pool).Submit":                                                                         1,
	"github.com/panjf2000/ants.Submit":                                                                                 0,
	"(*github.com/oklog/run.Group).Add":                                                                                1,
})

// callbacks call an argument before they return.
var callbacks = newTable(map[string]int{
	"(*sync.Once).Do":   1,
	"(*sync.Map).Range": 1,
	"slices.{SortFunc,SortStableFunc,IndexFunc,ContainsFunc,DeleteFunc,MinFunc,MaxFunc,CompactFunc}": 1,
	"slices.{Collect,Sorted,SortedFunc,SortedStableFunc}":                                            0, // iterators
	"slices.AppendSeq":                 1,
	"maps.Collect":                     0,
	"maps.Insert":                      1,
	"(net/http.HandlerFunc).ServeHTTP": 0,
	"runtime/trace.WithRegion":         2,
	"slices.BinarySearchFunc":          2,
	"maps.DeleteFunc":                  1,
	"sort.{Slice,SliceStable}":         1,
	"sort.{Search,Find}":               1,
	"strings.Map":                      0,
	"strings.{FieldsFunc,IndexFunc,TrimFunc,ContainsFunc}": 1,
	"bytes.{FieldsFunc,IndexFunc,TrimFunc,ContainsFunc}":   1,
	"path/filepath.{Walk,WalkDir}":                         1,
	"io/fs.WalkDir":                                        2,
	"runtime/pprof.Do":                                     2,
	"(log/slog.Record).Attrs":                              1,
	"(*golang.org/x/sync/singleflight.Group).Do":           2,

	"github.com/cenkalti/backoff.{Retry,RetryNotify,RetryNotifyWithTimer,RetryWithData,RetryNotifyWithData,RetryNotifyWithTimerAndData}": 0,
	"github.com/cenkalti/backoff/{v5,v6,v7}.Retry":                    1,
	"github.com/avast/retry-go.{Do,DoWithData}":                       0,
	"github.com/sethvargo/go-retry.{Do,DoValue}":                      2,
	"github.com/sethvargo/go-retry.{Constant,Exponential,Fibonacci}":  2,
	"k8s.io/client-go/util/retry.RetryOnConflict":                     1,
	"k8s.io/client-go/util/retry.OnError":                             2,
	"k8s.io/apimachinery/pkg/util/wait.ExponentialBackoff":            1,
	"k8s.io/apimachinery/pkg/util/wait.{Poll,PollImmediate}":          2,
	"k8s.io/apimachinery/pkg/util/wait.ExponentialBackoffWithContext": 2,
	"k8s.io/apimachinery/pkg/util/wait.PollUntilContextCancel":        3,
	"k8s.io/apimachinery/pkg/util/wait.PollUntilContextTimeout":       4,

	"github.com/samber/lo.{Map,ForEach,Filter,FilterMap,FlatMap,Reduce,GroupBy,KeyBy,UniqBy,Reject,ContainsBy,CountBy,SumBy,Times,SliceToMap,Associate,MapValues,MapKeys,PickBy,OmitBy,Find,FindIndexOf,EveryBy,SomeBy,NoneBy,MapToSlice,PartitionBy}": 1,
	"github.com/samber/lo/parallel.{Map,ForEach,GroupBy,PartitionBy,Times}": 1,
	"github.com/samber/lo.{Attempt,AttemptWhile}":                           1,
	"github.com/samber/lo.{AttemptWithDelay,AttemptWhileWithDelay}":         2,
	"github.com/samber/lo.{Try,Try0,Try1,Try2}":                             0,

	"(*go.etcd.io/bbolt.DB).{Update,View,Batch}":                                                                         1,
	"(*cloud.google.com/go/spanner.Client).ReadWriteTransaction":                                                         2,
	"(github.com/tidwall/gjson.Result).ForEach":                                                                          1,
	"github.com/getsentry/sentry-go.{WithScope,ConfigureScope}":                                                          0,
	"(*github.com/getsentry/sentry-go.Hub).{WithScope,ConfigureScope}":                                                   1,
	"(*gorm.io/gorm.DB).FindInBatches":                                                                                   3, // the rows are read by then
	"(*github.com/{redis/go-redis,go-redis/redis}.{Client,ClusterClient,Ring,Conn,Tx,Pipeline}).{Pipelined,TxPipelined}": 2,
	"(*github.com/{redis/go-redis,go-redis/redis}.{Client,ClusterClient,Ring}).Watch":                                    2,
	"github.com/sourcegraph/conc/iter.{ForEach,ForEachIdx,Map,MapErr}":                                                   1,
	"(*github.com/sourcegraph/conc/panics.Catcher).Try":                                                                  1,
	"github.com/sourcegraph/conc/panics.Try":                                                                             0,
	"(*github.com/sony/gobreaker.CircuitBreaker).Execute":                                                                1,
})

// writesTo are functions that write to an argument: they are as slow as it is.
var writesTo = newTable(map[string]int{
	"fmt.{Fprint,Fprintf,Fprintln}":                                          0,
	"io.{WriteString,Copy,CopyN,CopyBuffer}":                                 0,
	"net/http.{Error,NotFound,Redirect}":                                     0,
	"(*encoding/json.Encoder).Encode":                                        0,
	"(*encoding/xml.Encoder).{Encode,EncodeElement,EncodeToken,Flush}":       0,
	"(*encoding/gob.Encoder).Encode":                                         0,
	"(*encoding/csv.Writer).{Write,WriteAll,Flush}":                          0,
	"(*bufio.Writer).{Write,WriteString,WriteByte,WriteRune,ReadFrom,Flush}": 0,
	"(*compress/{gzip,zlib,flate}.Writer).{Write,Flush,Close}":               0,
	"(*archive/zip.Writer).{Close,Flush}":                                    0,
	"(*archive/tar.Writer).{Write,WriteHeader,Flush,Close}":                  0,
	"(*{text,html}/template.Template).{Execute,ExecuteTemplate}":             1,
	"(*bytes.Buffer).WriteTo":                                                1,
	"(*bytes.Reader).WriteTo":                                                1,
	"(*strings.Reader).WriteTo":                                              1,
	"(io.Writer).Write":                                                      0,
	"(io.StringWriter).WriteString":                                          0,
})

// standsFor are functions whose result is a way to use an argument: a writer around
// a writer, a source of rows around the function that makes them.
var standsFor = newTable(map[string]int{
	"encoding/{json,xml,gob}.NewEncoder":              0,
	"encoding/csv.NewWriter":                          0,
	"bufio.{NewWriter,NewWriterSize}":                 0,
	"compress/{gzip,zlib}.{NewWriter,NewWriterLevel}": 0,
	"compress/flate.NewWriter":                        0,
	"archive/{zip,tar}.NewWriter":                     0,
	"io.MultiWriter":                                  0,
	"io.TeeReader":                                    0,
	"sync.{OnceFunc,OnceValue,OnceValues}":            0,
	"github.com/jackc/pgx.CopyFromFunc":               0,
	"github.com/jackc/pgx.CopyFromSlice":              1,
})

// ArgumentCalled is the number of the argument that f calls before it returns.
func ArgumentCalled(f *types.Func) (argument int, ok bool) { return callbacks.find(FullName(f)) }

// ArgumentWritten is the number of the argument that f writes to.
func ArgumentWritten(f *types.Func) (argument int, ok bool) { return writesTo.find(FullName(f)) }

// ArgumentStoodFor is the number of the argument that f's result is a way to use.
func ArgumentStoodFor(f *types.Func) (argument int, ok bool) { return standsFor.find(FullName(f)) }
