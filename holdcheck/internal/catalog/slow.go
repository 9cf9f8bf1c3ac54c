package catalog

import (
	"go/types"
	"strings"
)

var (
	slowHTTP    = Cost{HTTP, High}
	slowRPC     = Cost{RPC, High}
	slowMail    = Cost{Mail, High}
	slowCloud   = Cost{Cloud, High}
	slowModel   = Cost{Model, High}
	slowNetwork = Cost{Network, High}
	slowProcess = Cost{Process, High}
	asleep      = Cost{Sleep, High}
	broker      = Cost{Broker, Medium}
	blocked     = Cost{Blocked, Medium}
	locked      = Cost{Blocked, Low}
	toClient    = Cost{Client, Medium}
	disk        = Cost{File, Low}
	computes    = Cost{Compute, Low}
)

// sinks are the slow calls. What only prepares one is not among them: making a
// request, a command, a client.
var sinks = newTable(map[string]Cost{
	// HTTP
	"net/http.{Get,Head,Post,PostForm}":                                                                    slowHTTP,
	"(*net/http.Client).{Do,Get,Head,Post,PostForm}":                                                       slowHTTP,
	"(*net/http.Transport).RoundTrip":                                                                      slowHTTP,
	"(net/http.RoundTripper).RoundTrip":                                                                    slowHTTP,
	"(*net/http/httputil.ReverseProxy).ServeHTTP":                                                          slowHTTP,
	"(*net/http/httputil.ClientConn).{Do,Read}":                                                            slowHTTP,
	"(*golang.org/x/net/http2.Transport).{RoundTrip,RoundTripOpt}":                                         slowHTTP,
	"golang.org/x/net/context/ctxhttp.{Do,Get,Head,Post,PostForm}":                                         slowHTTP,
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp.{Get,Head,Post,PostForm}":               slowHTTP,
	"(*go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp.Transport).RoundTrip":                 slowHTTP,
	"(*github.com/hashicorp/go-retryablehttp.Client).{Do,Get,Head,Post,PostForm}":                          slowHTTP,
	"github.com/hashicorp/go-retryablehttp.{Get,Head,Post,PostForm}":                                       slowHTTP,
	"(*github.com/go-resty/resty.Request).{Get,Head,Post,Put,Delete,Options,Patch,Send,Execute}":           slowHTTP,
	"(*resty.dev.Request).{Get,Head,Post,Put,Delete,Options,Patch,Trace,Send,Execute}":                     slowHTTP,
	"(*github.com/valyala/fasthttp.{Client,HostClient,PipelineClient,LBClient}).{Do,DoTimeout,DoDeadline}": slowHTTP,
	"(*github.com/valyala/fasthttp.{Client,HostClient}).{DoRedirects,Get,GetTimeout,GetDeadline,Post}":     slowHTTP,
	"github.com/valyala/fasthttp.{Do,DoTimeout,DoDeadline,DoRedirects,Get,GetTimeout,GetDeadline,Post}":    slowHTTP,
	"(*github.com/gofiber/fiber.Agent).{Bytes,String,Struct}":                                              slowHTTP,

	// OAuth and OpenID
	"(*golang.org/x/oauth2.Config).{Exchange,PasswordCredentialsToken,DeviceAuth,DeviceAccessToken}":                        slowHTTP,
	"(golang.org/x/oauth2.TokenSource).Token":                                                                               slowHTTP,
	"(*golang.org/x/oauth2.Transport).RoundTrip":                                                                            slowHTTP,
	"(*golang.org/x/oauth2/clientcredentials.Config).Token":                                                                 slowHTTP,
	"golang.org/x/oauth2/google.{FindDefaultCredentials,FindDefaultCredentialsWithParams,DefaultTokenSource,DefaultClient}": {HTTP, Medium}, // ask the metadata server where there is no file
	"github.com/coreos/go-oidc{,/oidc}.NewProvider":                                                                         slowHTTP,
	"(*github.com/coreos/go-oidc{,/oidc}.Provider).UserInfo":                                                                slowHTTP,
	"(*github.com/coreos/go-oidc{,/oidc}.IDTokenVerifier).{Verify,VerifyLogout}":                                            {HTTP, Medium}, // fetches keys that it does not have
	"(github.com/coreos/go-oidc{,/oidc}.KeySet).VerifySignature":                                                            {HTTP, Medium},
	"(*github.com/coreos/go-oidc{,/oidc}.RemoteKeySet).VerifySignature":                                                     {HTTP, Medium},

	// RPC
	"(*google.golang.org/grpc.ClientConn).{Invoke,NewStream,WaitForStateChange}":                    slowRPC,
	"(google.golang.org/grpc.ClientConnInterface).{Invoke,NewStream}":                               slowRPC,
	"google.golang.org/grpc.{Invoke,NewClientStream}":                                               slowRPC,
	"google.golang.org/grpc.{Dial,DialContext}":                                                     {RPC, Medium}, // waits only WithBlock
	"(google.golang.org/grpc.ClientStream).{RecvMsg,SendMsg,CloseSend,Header}":                      slowRPC,
	"(google.golang.org/grpc.ServerStream).{RecvMsg,SendMsg}":                                       {Client, Medium},
	"(google.golang.org/grpc.{ServerStreamingClient,BidiStreamingClient}).Recv":                     slowRPC,
	"(google.golang.org/grpc.{ClientStreamingClient,BidiStreamingClient}).Send":                     slowRPC,
	"(google.golang.org/grpc.ClientStreamingClient).CloseAndRecv":                                   slowRPC,
	"(*connectrpc.com/connect.Client).{CallUnary,CallServerStream,CallClientStream,CallBidiStream}": slowRPC,
	"(*connectrpc.com/connect.ClientStreamForClient).{Send,CloseAndReceive}":                        slowRPC,
	"(*connectrpc.com/connect.ServerStreamForClient).Receive":                                       slowRPC,
	"(*connectrpc.com/connect.BidiStreamForClient).{Send,Receive,CloseRequest}":                     slowRPC,
	"(connectrpc.com/connect.HTTPClient).Do":                                                        slowHTTP,
	"(*net/rpc.Client).Call":                                                                        slowRPC,
	"net/rpc.{Dial,DialHTTP,DialHTTPPath}":                                                          slowNetwork,
	"net/rpc/jsonrpc.Dial":                                                                          slowNetwork,

	// mail
	"net/smtp.{SendMail,Dial,NewClient}": slowMail,
	"(*net/smtp.Client).{Hello,StartTLS,Auth,Mail,Rcpt,Data,Reset,Noop,Quit,Verify,Extension}": slowMail,
	"net/textproto.Dial": slowNetwork,
	"(*{gopkg.in/gomail.v2,gopkg.in/mail.v2,github.com/go-mail/mail,github.com/go-gomail/gomail,github.com/casdoor/gomail,github.com/ory/mail}.Dialer).{Dial,DialAndSend}": slowMail,
	"{gopkg.in/gomail.v2,gopkg.in/mail.v2,github.com/go-mail/mail,github.com/go-gomail/gomail,github.com/casdoor/gomail,github.com/ory/mail}.Send":                         slowMail,
	"({gopkg.in/gomail.v2,gopkg.in/mail.v2,github.com/go-mail/mail,github.com/go-gomail/gomail,github.com/casdoor/gomail,github.com/ory/mail}.Sender).Send":                slowMail,
	"(*github.com/wneessen/go-mail.Client).{DialAndSend,DialAndSendWithContext,DialWithContext,Send,Reset}":                                                                slowMail,
	"(*github.com/jordan-wright/email.Email).{Send,SendWithTLS,SendWithStartTLS}":                                                                                          slowMail,
	"(*github.com/jordan-wright/email.Pool).Send":                                                       slowMail,
	"(*github.com/domodwyer/mailyak.MailYak).Send":                                                      slowMail,
	"(*github.com/xhit/go-simple-mail.SMTPServer).Connect":                                              slowMail,
	"(*github.com/xhit/go-simple-mail.Email).Send":                                                      slowMail,
	"github.com/emersion/go-smtp.{Dial,DialTLS,DialStartTLS,SendMail,SendMailTLS}":                      slowMail,
	"(*github.com/emersion/go-smtp.Client).{Hello,Auth,Mail,Rcpt,Data,SendMail,Noop,Quit,Reset,Verify}": slowMail,
	"(*github.com/sendgrid/sendgrid-go.Client).{Send,SendWithContext}":                                  slowMail,
	"github.com/sendgrid/sendgrid-go.{API,MakeRequest,MakeRequestWithContext,MakeRequestRetry}":         slowMail,
	"(github.com/mailgun/mailgun-go.Mailgun).Send":                                                      slowMail,
	"(*github.com/mailgun/mailgun-go.{MailgunImpl,Client}).Send":                                        slowMail,
	"(github.com/resend/resend-go.EmailsSvc).{Send,SendWithContext,SendWithOptions}":                    slowMail,

	// network
	"net.{Dial,DialTimeout,DialTCP,DialUDP,DialIP,DialUnix}":                                                                                 slowNetwork,
	"(*net.Dialer).{Dial,DialContext,DialTCP,DialUDP,DialIP,DialUnix}":                                                                       slowNetwork,
	"net.{LookupAddr,LookupCNAME,LookupHost,LookupIP,LookupMX,LookupNS,LookupPort,LookupSRV,LookupTXT}":                                      slowNetwork,
	"net.{ResolveIPAddr,ResolveTCPAddr,ResolveUDPAddr}":                                                                                      slowNetwork,
	"(*net.Resolver).{LookupAddr,LookupCNAME,LookupHost,LookupIP,LookupIPAddr,LookupMX,LookupNS,LookupNetIP,LookupPort,LookupSRV,LookupTXT}": slowNetwork,
	"(net.Conn).Read":           slowNetwork,
	"(net.Conn).Write":          {Network, Medium}, // the other side's window
	"(*net.conn).Read":          slowNetwork,
	"(*net.conn).Write":         {Network, Medium},
	"(net.PacketConn).ReadFrom": slowNetwork,
	"(*net.UDPConn).{ReadFrom,ReadFromUDP,ReadFromUDPAddrPort,ReadMsgUDP}": slowNetwork,
	"(net.Listener).Accept":                                                   slowNetwork,
	"(*net.{TCPListener,UnixListener}).Accept":                                slowNetwork,
	"(*net.TCPListener).AcceptTCP":                                            slowNetwork,
	"(*net.UnixListener).AcceptUnix":                                          slowNetwork,
	"crypto/tls.{Dial,DialWithDialer}":                                        slowNetwork,
	"(*crypto/tls.Dialer).{Dial,DialContext}":                                 slowNetwork,
	"(*crypto/tls.Conn).{Handshake,HandshakeContext,Read}":                    slowNetwork,
	"(*crypto/tls.Conn).Write":                                                {Network, Medium},
	"golang.org/x/crypto/ssh.{Dial,NewClientConn}":                            slowNetwork,
	"(*golang.org/x/crypto/ssh.Client).{NewSession,Dial,DialContext,DialTCP}": slowNetwork,
	"(golang.org/x/crypto/ssh.Conn).{SendRequest,OpenChannel,Wait}":           slowNetwork,
	"(*golang.org/x/crypto/ssh.Session).{Run,Start,Output,CombinedOutput,Shell,Wait,SendRequest,Signal,Setenv,RequestPty,RequestSubsystem}": slowNetwork,
	"(golang.org/x/net/proxy.Dialer).Dial":                                                            slowNetwork,
	"(golang.org/x/net/proxy.ContextDialer).DialContext":                                              slowNetwork,
	"golang.org/x/net/proxy.Dial":                                                                     slowNetwork,
	"golang.org/x/net/websocket.{Dial,DialConfig}":                                                    slowNetwork,
	"(golang.org/x/net/websocket.Codec).{Receive,Send}":                                               slowNetwork,
	"(*golang.org/x/net/websocket.Conn).Read":                                                         slowNetwork,
	"(*github.com/gorilla/websocket.Dialer).{Dial,DialContext}":                                       slowNetwork,
	"(*github.com/gorilla/websocket.Conn).{NextReader,ReadMessage,ReadJSON}":                          slowNetwork,
	"(*github.com/gorilla/websocket.Conn).{WriteMessage,WriteJSON,WriteControl,WritePreparedMessage}": {Network, Medium},
	"github.com/gorilla/websocket.ReadJSON":                                                           slowNetwork,
	"{github.com/coder/websocket,nhooyr.io/websocket}.Dial":                                           slowNetwork,
	"(*{github.com/coder/websocket,nhooyr.io/websocket}.Conn).{Read,Reader,Ping,Close}":               slowNetwork,
	"(*{github.com/coder/websocket,nhooyr.io/websocket}.Conn).{Write,Writer}":                         {Network, Medium},
	"{github.com/coder/websocket,nhooyr.io/websocket}/wsjson.Read":                                    slowNetwork,
	"{github.com/coder/websocket,nhooyr.io/websocket}/wsjson.Write":                                   {Network, Medium},
	"github.com/miekg/dns.{Exchange,ExchangeContext,Dial,DialTimeout,DialWithTLS}":                    slowNetwork,
	"(*github.com/miekg/dns.Client).{Exchange,ExchangeContext,ExchangeWithConn,Dial,DialContext}":     slowNetwork,
	"github.com/go-ldap/ldap.{Dial,DialTLS,DialURL}":                                                  slowNetwork,
	"(*github.com/go-ldap/ldap.Conn).{Add,Bind,Compare,Del,DirSync,DirSyncAsync,ExternalBind,Extended,GSSAPIBind,MD5Bind,Modify,ModifyDN,ModifyWithResult,NTLMBind,PasswordModify,Search,SearchAsync,SearchWithPaging,SimpleBind,StartTLS,UnauthenticatedBind,WhoAmI}": slowNetwork,
	"(github.com/go-ldap/ldap.Client).{Add,Bind,Compare,Del,ExternalBind,Modify,ModifyDN,ModifyWithResult,NTLMUnauthenticatedBind,PasswordModify,Search,SearchWithPaging,SimpleBind,StartTLS,UnauthenticatedBind}":                                                     slowNetwork,
	"github.com/pkg/sftp.{NewClient,NewClientPipe}":                                                                    slowNetwork,
	"(*github.com/pkg/sftp.File).{Read,ReadAt,ReadFrom,ReadFromWithConcurrency,Write,WriteAt,WriteTo,Stat,Close,Sync}": slowNetwork,
	"(*github.com/getsentry/sentry-go.{Hub,Client}).Flush":                                                             {Network, Medium},
	"github.com/getsentry/sentry-go.Flush":                                                                             {Network, Medium},

	// processes
	"(*os/exec.Cmd).{Run,Wait,Output,CombinedOutput}": slowProcess,
	"(*os.Process).Wait":                              slowProcess,

	// waiting
	"time.Sleep": asleep,
	// They sleep between the attempts.
	"github.com/cenkalti/backoff.{Retry,RetryNotify,RetryNotifyWithTimer,RetryWithData,RetryNotifyWithData,RetryNotifyWithTimerAndData}": {Sleep, Medium},
	"github.com/avast/retry-go.{Do,DoWithData}":                                 {Sleep, Medium},
	"github.com/sethvargo/go-retry.{Do,DoValue,Constant,Exponential,Fibonacci}": {Sleep, Medium},
	"k8s.io/client-go/util/retry.{OnError,RetryOnConflict}":                     {Sleep, Medium},
	"k8s.io/apimachinery/pkg/util/wait.{ExponentialBackoff,ExponentialBackoffWithContext,Poll,PollImmediate,PollUntilContextCancel,PollUntilContextTimeout}": {Sleep, Medium},
	"(*sync.WaitGroup).Wait":                                         blocked,
	"(*sync.Cond).Wait":                                              blocked,
	"(*sync.Mutex).Lock":                                             locked,
	"(*sync.RWMutex).{Lock,RLock}":                                   locked,
	"(sync.Locker).Lock":                                             locked,
	"(*golang.org/x/sync/errgroup.Group).Wait":                       blocked,
	"(*golang.org/x/sync/semaphore.Weighted).Acquire":                blocked,
	"(*golang.org/x/time/rate.Limiter).{Wait,WaitN}":                 blocked,
	"(go.uber.org/ratelimit.Limiter).Take":                           blocked,
	"(*github.com/sourcegraph/conc.WaitGroup).{Wait,WaitAndRecover}": blocked,
	"(*github.com/sourcegraph/conc/pool.{Pool,ContextPool,ErrorPool,ResultPool,ResultContextPool,ResultErrorPool}).Wait": blocked,
	"(*github.com/panjf2000/ants.Pool).Submit":          blocked, // until a worker is free
	"(*github.com/sourcegraph/conc/stream.Stream).Wait": blocked,
	"(*github.com/oklog/run.Group).Run":                 blocked,

	// clouds
	"(*github.com/aws/aws-sdk-go/aws/request.Request).Send":                         slowCloud,
	"(*github.com/aws/aws-sdk-go/aws/credentials.Credentials).{Get,GetWithContext}": slowCloud,
	"(*github.com/aws/aws-sdk-go-v2/aws.CredentialsCache).Retrieve":                 slowCloud,
	"(github.com/aws/aws-sdk-go-v2/aws.CredentialsProvider).Retrieve":               slowCloud,
	"(*cloud.google.com/go/storage.Reader).Read":                                    slowCloud,
	"(*cloud.google.com/go/storage.Writer).{Write,Close}":                           slowCloud,
	"(*cloud.google.com/go/internal/pubsub.PublishResult).Get":                      broker,
	"cloud.google.com/go/compute/metadata.{Get,GetWithContext,ProjectID,ProjectIDWithContext,Zone,ZoneWithContext,InstanceID,InstanceName,Hostname,Email,EmailWithContext,OnGCE,OnGCEWithContext}": slowCloud,
	"(*github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime.Pager).NextPage":                     slowCloud,
	"(*github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime.Poller).{Poll,PollUntilDone,Result}": slowCloud,
	"(github.com/Azure/azure-sdk-for-go/sdk/azcore/internal/exported.Pipeline).Do":               slowCloud,
	"(*github.com/minio/minio-go.Object).{Read,ReadAt,Stat}":                                     slowCloud,
	"(*k8s.io/client-go/rest.Request).{Do,DoRaw,Stream,Watch}":                                   slowHTTP,

	// services
	"(github.com/stripe/stripe-go.Backend).{Call,CallRaw,CallStreaming,CallMultipart}":                              slowHTTP,
	"(*github.com/stripe/stripe-go.BackendImplementation).{Call,CallRaw,CallStreaming,CallMultipart,RawRequest,Do}": slowHTTP,
	"(*github.com/stripe/stripe-go.{Iter,SearchIter}).Next":                                                         slowHTTP,
	"(*github.com/twilio/twilio-go/client.RequestHandler).{Get,Post,Delete}":                                        slowHTTP,
	"(github.com/twilio/twilio-go/client.BaseClient).SendRequest":                                                   slowHTTP,
	"(*github.com/elastic/go-elasticsearch.Client).Perform":                                                         slowHTTP,
	"(github.com/elastic/go-elasticsearch/esapi.Transport).Perform":                                                 slowHTTP,
	"(github.com/elastic/elastic-transport-go/elastictransport.Interface).Perform":                                  slowHTTP,
	"(github.com/openai/openai-go/packages/ssestream.Decoder).Next":                                                 slowModel,
	"(*{github.com/openai/openai-go,github.com/anthropics/anthropic-sdk-go}/packages/ssestream.Stream).Next":        slowModel,
	"(*github.com/sashabaranov/go-openai.streamReader).{Recv,RecvRaw}":                                              slowModel,

	// queues and caches
	"(*github.com/{redis/go-redis,go-redis/redis}.{Client,ClusterClient,Ring,Conn,Tx,SentinelClient}).Process":                                                                broker,
	"(*github.com/{redis/go-redis,go-redis/redis}.{Client,ClusterClient,Ring}).{Do,Watch}":                                                                                    broker,
	"(*github.com/{redis/go-redis,go-redis/redis}.{Client,ClusterClient,Ring,Conn,Tx}).{Pipelined,TxPipelined}":                                                               broker,
	"(*github.com/{redis/go-redis,go-redis/redis}.Pipeline).Exec":                                                                                                             broker,
	"(github.com/{redis/go-redis,go-redis/redis}.Pipeliner).Exec":                                                                                                             broker,
	"(github.com/{redis/go-redis,go-redis/redis}.UniversalClient).{Do,Process,Watch}":                                                                                         broker,
	"(github.com/{redis/go-redis,go-redis/redis}.Cmdable).{Pipelined,TxPipelined}":                                                                                            broker,
	"(*github.com/{redis/go-redis,go-redis/redis}.PubSub).{Receive,ReceiveMessage,ReceiveTimeout,Subscribe,PSubscribe,Ping}":                                                  broker,
	"(*github.com/{redis/go-redis,go-redis/redis}.Script).{Run,Eval,EvalSha,Exists,Load}":                                                                                     broker,
	"(github.com/gomodule/redigo/redis.Conn).{Do,Flush,Receive}":                                                                                                              broker,
	"(github.com/gomodule/redigo/redis.ConnWithContext).{DoContext,ReceiveContext}":                                                                                           broker,
	"github.com/gomodule/redigo/redis.{Dial,DialContext,DialURL,DialURLContext,DialTimeout,DoContext,DoWithTimeout,ReceiveContext,ReceiveWithTimeout}":                        broker,
	"(*github.com/gomodule/redigo/redis.Script).{Do,DoContext,Load}":                                                                                                          broker,
	"(github.com/redis/rueidis.CommandClient).{Do,DoMulti}":                                                                                                                   broker,
	"(github.com/redis/rueidis.CoreClient).Receive":                                                                                                                           broker,
	"(github.com/redis/rueidis.Client).{DoCache,DoMultiCache,DoStream,DoMultiStream}":                                                                                         broker,
	"(*github.com/go-redsync/redsync.Mutex).{Lock,LockContext,Unlock,UnlockContext,Extend,ExtendContext}":                                                                     broker,
	"(*github.com/bsm/redislock.Client).Obtain":                                                                                                                               broker,
	"(*github.com/bradfitz/gomemcache/memcache.Client).{Get,GetMulti,Set,Add,Replace,Append,Prepend,CompareAndSwap,Delete,DeleteAll,Increment,Decrement,Touch,FlushAll,Ping}": broker,
	"(*github.com/segmentio/kafka-go.Writer).WriteMessages":                                                                                                                   broker,
	"(*github.com/segmentio/kafka-go.Reader).{ReadMessage,FetchMessage,CommitMessages}":                                                                                       broker,
	"(*github.com/segmentio/kafka-go.Conn).{Read,ReadMessage,ReadBatch,Write,WriteMessages,CreateTopics,DeleteTopics,ReadPartitions}":                                         broker,
	"github.com/segmentio/kafka-go.{Dial,DialContext,DialLeader,DialPartition,LookupPartition,LookupPartitions}":                                                              broker,
	"(github.com/{IBM,Shopify}/sarama.SyncProducer).{SendMessage,SendMessages}":                                                                                               broker,
	"(github.com/{IBM,Shopify}/sarama.ConsumerGroup).Consume":                                                                                                                 broker,
	"github.com/{IBM,Shopify}/sarama.{NewClient,NewSyncProducer,NewAsyncProducer,NewConsumer,NewConsumerGroup,NewClusterAdmin}":                                               broker,
	"(*github.com/confluentinc/confluent-kafka-go/kafka.Producer).{Flush,GetMetadata,QueryWatermarkOffsets}":                                                                  broker,
	"(*github.com/confluentinc/confluent-kafka-go/kafka.Consumer).{Poll,ReadMessage,Commit,CommitMessage}":                                                                    broker,
	"(*github.com/twmb/franz-go/pkg/kgo.Client).{ProduceSync,PollFetches,PollRecords,Flush,CommitRecords,Request,Ping}":                                                       broker,
	"(*github.com/nats-io/nats.go.Conn).{Request,RequestWithContext,RequestMsg,RequestMsgWithContext,Flush,FlushTimeout,FlushWithContext,Drain}":                              broker,
	"github.com/nats-io/nats.go.Connect":                                                                                                                                      broker,
	"(*github.com/nats-io/nats.go.Subscription).{NextMsg,NextMsgWithContext,Fetch}":                                                                                           broker,
	"(github.com/nats-io/nats.go.JetStream).{Publish,PublishMsg}":                                                                                                             broker,
	"(github.com/nats-io/nats.go.KeyValue).{Get,Put,PutString,Create,Update,Delete,Purge,Keys}":                                                                               broker,
	"(github.com/nats-io/nats.go/jetstream.Publisher).{Publish,PublishMsg}":                                                                                                   broker,
	"(github.com/nats-io/nats.go/jetstream.KeyValue).{Get,Put,PutString,Create,Update,Delete,Purge,Keys}":                                                                     broker,
	"(*{github.com/rabbitmq/amqp091-go,github.com/streadway/amqp}.Channel).{Publish,ExchangeDeclare,QueueDeclare,QueueBind,Consume,Get,Qos,Confirm,Tx,TxCommit}":              broker,
	"(*github.com/rabbitmq/amqp091-go.Channel).{PublishWithContext,PublishWithDeferredConfirm,PublishWithDeferredConfirmWithContext,ConsumeWithContext}":                      broker,
	"(*github.com/rabbitmq/amqp091-go.DeferredConfirmation).{Wait,WaitContext}":                                                                                               broker,
	"{github.com/rabbitmq/amqp091-go,github.com/streadway/amqp}.{Dial,DialTLS,DialConfig}":                                                                                    broker,
	"(*{github.com/rabbitmq/amqp091-go,github.com/streadway/amqp}.Connection).Channel":                                                                                        broker,
	"(*github.com/hibiken/asynq.Client).{Enqueue,EnqueueContext}":                                                                                                             broker,
	"(github.com/ThreeDotsLabs/watermill/message.Publisher).Publish":                                                                                                          broker,

	// answers: the one who asked decides how fast they are read
	"(net/http.ResponseWriter).Write":                          toClient,
	"(net/http.Flusher).Flush":                                 toClient,
	"(*net/http.ResponseController).Flush":                     toClient,
	"net/http.{ServeContent,ServeFile,ServeFileFS}":            toClient,
	"(*net/http.Request).{ParseMultipartForm,MultipartReader}": toClient,
	"(*mime/multipart.Reader).{NextPart,NextRawPart,ReadForm}": toClient,

	// files
	"os.{ReadFile,WriteFile,Open,OpenFile,Create,CreateTemp,ReadDir,Mkdir,MkdirAll,MkdirTemp,Remove,RemoveAll,Rename,CopyFS,Truncate}": disk,
	"(*os.File).{Read,ReadAt,ReadFrom,ReadDir,Readdir,Readdirnames,Write,WriteAt,WriteString,WriteTo,Sync,Truncate}":                   disk,
	"io/ioutil.{ReadFile,WriteFile,ReadDir,TempFile,TempDir}":                                                                          disk,
	"path/filepath.{Walk,WalkDir,Glob}": disk,

	// the processor, on purpose
	"golang.org/x/crypto/bcrypt.{GenerateFromPassword,CompareHashAndPassword}": computes,
	"golang.org/x/crypto/argon2.{Key,IDKey}":                                   computes,
	"golang.org/x/crypto/{scrypt,pbkdf2}.Key":                                  computes,
	"crypto/pbkdf2.Key": computes,
	"crypto/rsa.{GenerateKey,GenerateMultiPrimeKey}":                                computes,
	"github.com/alexedwards/argon2id.{CreateHash,ComparePasswordAndHash,CheckHash}": computes,
})

// rule finds slow functions of libraries that have hundreds of them.
type rule struct {
	Cost
	paths []string // a package, and what is below; any major version
	// Receiver is how the name of the receiver's type ends; without it, functions
	// that are no methods count too.
	receiver string
	match    func(call) bool
}

// call is a function as rules look at it.
type call struct {
	fn       *types.Func
	path     string // without a major version
	receiver string // the name of its type
	sig      *types.Signature
}

var rules = []rule{
	{slowCloud, []string{"github.com/aws/aws-sdk-go-v2/service", "github.com/aws/aws-sdk-go-v2/feature"}, "", func(c call) bool {
		return c.receiver != "" && c.takesContext() && c.fails() && !c.named("PresignClient", "HTTPPresignerV4", "HTTPSignerV4")
	}},
	{slowCloud, []string{"github.com/aws/aws-sdk-go/service"}, "", func(c call) bool {
		name := c.fn.Name()
		return c.receiver != "" && c.fails() && !strings.HasSuffix(name, "Request") && name != "Validate" &&
			(c.takes("Input") || strings.HasPrefix(name, "Upload") || strings.HasPrefix(name, "Download"))
	}},
	{slowCloud, []string{"cloud.google.com/go"}, "", func(c call) bool {
		return c.receiver != "" && c.fails() && (c.takesContext() || c.fn.Name() == "Next" && strings.HasSuffix(c.receiver, "Iterator"))
	}},
	{slowCloud, []string{"google.golang.org/api"}, "Call", func(c call) bool { return c.in("Do", "Download", "Pages") }},
	{slowCloud, []string{"github.com/Azure/azure-sdk-for-go/sdk"}, "", func(c call) bool {
		return c.takesContext() && c.fails() && (strings.HasSuffix(c.receiver, "Client") || strings.HasSuffix(c.receiver, "Credential") ||
			c.named("Sender", "Receiver", "Pager"))
	}},
	{slowCloud, []string{"github.com/minio/minio-go"}, "Client", func(c call) bool {
		return c.takesContext() && !strings.HasPrefix(c.fn.Name(), "Presign")
	}},
	{slowCloud, []string{"github.com/googleapis"}, "", func(c call) bool { return c.takesContext() && c.fails() }},
	{slowModel, []string{"github.com/openai/openai-go", "github.com/anthropics/anthropic-sdk-go"}, "Service", call.takesContext},
	{slowModel, []string{"github.com/openai/openai-go/packages", "github.com/anthropics/anthropic-sdk-go/packages"}, "AutoPager", func(c call) bool { return c.in("Next") }},
	{slowModel, []string{"github.com/sashabaranov/go-openai"}, "Client", func(c call) bool { return c.takesContext() && c.fails() }},
	{slowHTTP, []string{"github.com/stripe/stripe-go"}, "Service", func(c call) bool { return c.takesContext() && c.fails() }},
	{slowHTTP, []string{"github.com/stripe/stripe-go"}, "", func(c call) bool {
		below := strings.TrimPrefix(c.path, "github.com/stripe/stripe-go")
		return below != "" && below != "/webhook" && below != "/form" && (c.receiver == "" || c.receiver == "Client") && c.fails()
	}},
	{slowHTTP, []string{"github.com/twilio/twilio-go/rest"}, "Service", call.fails},
	{slowHTTP, []string{"k8s.io/client-go/kubernetes", "k8s.io/client-go/dynamic", "k8s.io/client-go/metadata", "sigs.k8s.io/controller-runtime/pkg/client"}, "", func(c call) bool {
		return c.receiver != "" && c.takesContext() && c.fails()
	}},
	{slowHTTP, []string{"github.com/docker/docker/client", "github.com/moby/moby/client"}, "", func(c call) bool {
		return c.receiver != "" && c.takesContext() && c.fails()
	}},
	{slowHTTP, []string{"github.com/elastic/go-elasticsearch"}, "", func(c call) bool {
		return c.in("Do", "Perform") && c.fails()
	}},
	{slowHTTP, []string{"golang.org/x/crypto/acme"}, "Client", func(c call) bool { return c.takesContext() && c.fails() }},
	{slowRPC, []string{"go.etcd.io/etcd/client"}, "", func(c call) bool { return c.receiver != "" && c.takesContext() && c.fails() }},
	{slowRPC, []string{"go.temporal.io/sdk/client", "go.temporal.io/sdk/internal"}, "", func(c call) bool {
		return c.takesContext() && c.fails() && (c.receiver == "Client" || strings.HasSuffix(c.receiver, "Run") || strings.HasSuffix(c.receiver, "Handle"))
	}},
	{slowNetwork, []string{"go.mongodb.org/mongo-driver"}, "", func(c call) bool {
		return c.takesContext() && c.fails() && c.named("Client", "Collection", "Database", "Cursor", "IndexView", "Session", "GridFSBucket")
	}},
	{slowNetwork, []string{"github.com/pkg/sftp"}, "Client", call.fails},
	// A pipeline's commands are methods of the same functions, and wait for Exec.
	{broker, []string{"github.com/redis/go-redis", "github.com/go-redis/redis"}, "able", func(c call) bool {
		return c.takesContext() && strings.HasSuffix(strings.ToLower(c.receiver), "cmdable") && c.returns("Cmd")
	}},
}

// slowCall is what the tables say of a function that is slow.
func slowCall(fn *types.Func) (Cost, bool) {
	if s, ok := sinks.find(FullName(fn)); ok {
		return s, true
	}
	if fn.Pkg() == nil || !fn.Exported() {
		return Cost{}, false
	}
	c := call{fn: fn, path: withoutVersion(fn.Pkg().Path()), sig: fn.Signature()}
	if recv := c.sig.Recv(); recv != nil {
		c.receiver = typeOf(recv.Type())
	}
	for _, r := range rules {
		if strings.HasSuffix(c.receiver, r.receiver) && c.under(r.paths) && !Driver(c.path) && r.match(c) {
			return r.Cost, true
		}
	}
	return c.byShape()
}

// byShape knows the methods of interfaces that are made so that a library's type fits
// them, whatever they are called.
func (c call) byShape() (Cost, bool) {
	if c.sig.Recv() == nil || !types.IsInterface(c.sig.Recv().Type()) {
		return Cost{}, false
	}
	params, results := c.sig.Params(), c.sig.Results()
	first := func(t *types.Tuple) string {
		if t.Len() == 0 {
			return ""
		}
		return withoutVersion(t.At(0).Type().String())
	}
	variadic := ""
	if c.sig.Variadic() {
		variadic = withoutVersion(params.At(params.Len() - 1).Type().String())
	}
	switch {
	case results.Len() == 2 && first(params) == "*net/http.Request" && first(results) == "*net/http.Response":
		return slowHTTP, true
	case variadic == "[]google.golang.org/grpc.CallOption" && c.takesContext(): // what protoc generates
		return slowRPC, true
	case variadic == "[]github.com/googleapis/gax-go.CallOption" && c.takesContext() && c.fails():
		return slowCloud, true
	case c.takesContext() && strings.HasPrefix(variadic, "[]func(*github.com/aws/aws-sdk-go-v2/service/") && c.fails():
		return slowCloud, true
	case strings.HasPrefix(c.fn.Name(), "Dial") && first(results) == "net.Conn":
		return slowNetwork, true
	case c.in("Exchange", "Token", "PasswordCredentialsToken") && first(results) == "*golang.org/x/oauth2.Token" && c.fails():
		return slowHTTP, true
	}
	return Cost{}, false
}

func (c call) under(paths []string) bool {
	for _, p := range paths {
		if rest, ok := strings.CutPrefix(c.path, p); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

func (c call) in(names ...string) bool {
	for _, n := range names {
		if c.fn.Name() == n {
			return true
		}
	}
	return false
}

func (c call) named(receivers ...string) bool {
	for _, r := range receivers {
		if c.receiver == r {
			return true
		}
	}
	return false
}

func (c call) takesContext() bool {
	return c.sig.Params().Len() > 0 && IsContext(c.sig.Params().At(0).Type())
}

// fails reports whether its last result is an error.
func (c call) fails() bool {
	n := c.sig.Results().Len()
	return n > 0 && IsError(c.sig.Results().At(n-1).Type())
}

// takes reports whether one of the first two parameters' types has a name that ends
// so.
func (c call) takes(suffix string) bool {
	for i := range min(2, c.sig.Params().Len()) {
		if strings.HasSuffix(typeOf(c.sig.Params().At(i).Type()), suffix) {
			return true
		}
	}
	return false
}

func (c call) returns(suffix string) bool {
	return c.sig.Results().Len() > 0 && strings.HasSuffix(typeOf(c.sig.Results().At(0).Type()), suffix)
}

// typeOf is the name of a type, or of what it points to, without its package.
func typeOf(t types.Type) string {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := types.Unalias(t).(*types.Named); ok {
		return n.Obj().Name()
	}
	return ""
}
