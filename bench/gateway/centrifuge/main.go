// A server of the library centrifuge that does what the gateway does: a token at connect, a channel with history and
// recovery, a queue for each client, Redis between servers. It takes its orders line by line (see ../servers.ts).
package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/centrifugal/centrifuge"
)

const history, historyTTL = 1024, 5 * time.Minute

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func authenticate(key ed25519.PublicKey, token string) (*centrifuge.Credentials, error) {
	var claims struct {
		Sub string `json:"sub"`
		Exp int64  `json:"exp"`
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, centrifuge.DisconnectInvalidToken
	}
	signature, errSignature := base64.RawURLEncoding.DecodeString(parts[2])
	payload, errPayload := base64.RawURLEncoding.DecodeString(parts[1])
	if errSignature != nil || errPayload != nil || !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
		return nil, centrifuge.DisconnectInvalidToken
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Exp < time.Now().Unix() {
		return nil, centrifuge.DisconnectExpired
	}
	return &centrifuge.Credentials{UserID: claims.Sub, ExpireAt: claims.Exp}, nil
}

func main() {
	redis := flag.String("redis", "", "address of Redis")
	prefix := flag.String("prefix", "", "prefix of its keys")
	publicKey := flag.String("key", "", "public key of the tokens, Ed25519, base64url")
	payloadFile := flag.String("payload", "", "file of a message, with TIME and FILLING")
	flag.Parse()
	key := ed25519.PublicKey(must(base64.RawURLEncoding.DecodeString(*publicKey)))
	payload := string(must(os.ReadFile(*payloadFile)))

	node := must(centrifuge.New(centrifuge.Config{}))
	shard := must(centrifuge.NewRedisShard(node, centrifuge.RedisShardConfig{Address: *redis}))
	node.SetBroker(must(centrifuge.NewRedisBroker(node, centrifuge.RedisBrokerConfig{
		Shards: []*centrifuge.RedisShard{shard}, Prefix: *prefix,
	})))
	node.OnConnecting(func(_ context.Context, event centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		credentials, err := authenticate(key, event.Token)
		return centrifuge.ConnectReply{Credentials: credentials}, err
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(centrifuge.SubscribeReply{Options: centrifuge.SubscribeOptions{EnableRecovery: true}}, nil)
		})
	})
	if err := node.Run(); err != nil {
		panic(err)
	}
	http.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		ReadBufferSize: 1024, UseWriteBufferPool: true,
	}))
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	go func() { panic(http.Serve(listener, nil)) }()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)

	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		order := strings.Split(lines.Text(), " ")
		switch order[0] {
		case "publish":
			data := strings.NewReplacer(
				"TIME", strconv.FormatFloat(float64(time.Now().UnixMicro())/1000, 'f', 3, 64),
				"FILLING", strings.Repeat("x", must(strconv.Atoi(order[2]))),
			).Replace(payload)
			for range must(strconv.Atoi(order[1])) {
				must(node.Publish("threats", []byte(data), centrifuge.WithHistory(history, historyTTL)))
			}
		case "settle":
			debug.FreeOSMemory()
		}
		fmt.Println("done")
	}
}
