package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"catalyst.internal/star/orbitv1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"lukechampine.com/blake3"
)

// These ask the star that STAR_ADDRESS names, whose folder, STAR_FOLDER, is on this machine; STAR_TOKEN and STAR_SECRET
// are its own. They make what they need in the folder, and know of the star what spec/star.md says.

// client has a session with the star, and a folder of the test's own inside of the star's.
type client struct {
	orbitv1.StarServiceClient
	conn    *grpc.ClientConn
	address string
	secret  string
	folder  string // as the star calls it
	ctx     context.Context
}

func connect(t *testing.T) *client {
	address := os.Getenv("STAR_ADDRESS")
	if address == "" {
		t.Skip("STAR_ADDRESS names no star")
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	stars := orbitv1.NewStarServiceClient(conn)
	told, err := stars.Handshake(ctx, &orbitv1.HandshakeRequest{StarToken: os.Getenv("STAR_TOKEN"), Version: "go"})
	if err != nil || !told.Accepted {
		t.Fatalf("no session: %v %v", told, err)
	}
	folder, err := os.MkdirTemp(os.Getenv("STAR_FOLDER"), "go-")
	if err != nil {
		t.Fatal(err)
	}
	return &client{stars, conn, address, os.Getenv("STAR_SECRET"), folder,
		metadata.AppendToOutgoingContext(ctx, "session-id", told.SessionId)}
}

// put makes a file in the folder.
func (c *client) put(t *testing.T, name string, size int) (string, []byte) {
	t.Helper()
	content := make([]byte, size)
	rand.Read(content)
	path := filepath.Join(c.folder, name)
	if err := os.WriteFile(path, content, 0o640); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// messages are those of ReadStream.
func (c *client) messages(path, token string) ([][]byte, error) {
	stream, err := c.ReadStream(c.ctx, &orbitv1.ReadStreamRequest{Path: path, TransferToken: token})
	if err != nil {
		return nil, err
	}
	for all := [][]byte{}; ; {
		message, err := stream.Recv()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, message.Chunk)
	}
}

func (c *client) entries(ctx context.Context, path string) (map[string]*orbitv1.FileEntry, error) {
	stream, err := c.ScanDirectory(ctx, &orbitv1.ScanRequest{Path: path})
	if err != nil {
		return nil, err
	}
	for all := map[string]*orbitv1.FileEntry{}; ; {
		entry, err := stream.Recv()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all[entry.Name] = entry
	}
}

func refused(t *testing.T, what string, err error, code codes.Code) {
	t.Helper()
	if status.Code(err) != code {
		t.Errorf("%s: %v, not %v", what, err, code)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must is what a call returned, and the end of the test where it failed.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		ok(t, err)
		return value
	}
}

func TestHandshake(t *testing.T) {
	c := connect(t)
	wrong := must(c.Handshake(c.ctx, &orbitv1.HandshakeRequest{StarToken: "wrong"}))(t)
	if wrong.Accepted || wrong.SessionId != "" {
		t.Errorf("a wrong token: %v", wrong)
	}
	right := &orbitv1.HandshakeRequest{StarToken: os.Getenv("STAR_TOKEN")}
	one, other := must(c.Handshake(c.ctx, right))(t), must(c.Handshake(c.ctx, right))(t)
	if !one.Accepted || !other.Accepted || one.SessionId == other.SessionId || len(one.SessionId) < 16 {
		t.Errorf("%v %v", one, other)
	}
}

func TestSessions(t *testing.T) {
	c := connect(t)
	path, _ := c.put(t, "file", 10)
	for what, ctx := range map[string]context.Context{
		"no session":   t.Context(),
		"another one":  metadata.AppendToOutgoingContext(t.Context(), "session-id", strings.Repeat("A", 43)),
		"an empty one": metadata.AppendToOutgoingContext(t.Context(), "session-id", ""),
	} {
		_, err := c.entries(ctx, c.folder)
		refused(t, what+": ScanDirectory", err, codes.Unauthenticated)
		_, err = c.ReadHeader(ctx, &orbitv1.ReadHeaderRequest{Path: path, Length: 1})
		refused(t, what+": ReadHeader", err, codes.Unauthenticated)
		_, err = c.CalculateHash(ctx, &orbitv1.HashRequest{Path: path})
		refused(t, what+": CalculateHash", err, codes.Unauthenticated)
		_, err = c.ReplicateFile(ctx, &orbitv1.ReplicateRequest{RemotePath: path, LocalPath: path + "2"})
		refused(t, what+": ReplicateFile", err, codes.Unauthenticated)
	}
}

func TestScanDirectory(t *testing.T) {
	c := connect(t)
	path, content := c.put(t, "file", 12_345)
	then := time.Unix(1_700_000_000, 0)
	ok(t, os.Chtimes(path, then, then))
	ok(t, os.Mkdir(filepath.Join(c.folder, "folder"), 0o755))
	ok(t, os.Symlink("file", filepath.Join(c.folder, "link")))
	found := must(c.entries(c.ctx, c.folder))(t)
	if names := slices.Sorted(maps.Keys(found)); !slices.Equal(names, []string{"file", "folder"}) {
		t.Fatalf("%v", names)
	}
	file, folder := found["file"], found["folder"]
	if file.IsDir || file.Size != uint64(len(content)) || file.ModifiedAtTs != 1_700_000_000 {
		t.Errorf("%v", file)
	}
	if !folder.IsDir || folder.Size != 0 {
		t.Errorf("%v", folder)
	}
	relative := must(c.entries(c.ctx, filepath.Base(c.folder)))(t)
	if _, isThere := must(c.entries(c.ctx, "."))(t)[filepath.Base(c.folder)]; len(relative) != 2 || !isThere {
		t.Errorf("relative to the star's folder: %v", relative)
	}
}

func TestReadHeader(t *testing.T) {
	c := connect(t)
	path, content := c.put(t, "file", 1_000)
	for length, want := range map[uint32][]byte{0: {}, 4: content[:4], 1_000: content, 5_000: content} {
		got := must(c.ReadHeader(c.ctx, &orbitv1.ReadHeaderRequest{Path: path, Length: length}))(t)
		if !bytes.Equal(got.Data, want) {
			t.Errorf("%d: %d bytes", length, len(got.Data))
		}
	}
	_, err := c.ReadHeader(c.ctx, &orbitv1.ReadHeaderRequest{Path: path, Length: 1<<20 + 1})
	refused(t, "more than 1 MiB", err, codes.InvalidArgument)
}

func TestCalculateHash(t *testing.T) {
	c := connect(t)
	path, content := c.put(t, "file", 300_000)
	for _, r := range []struct{ offset, length, to uint64 }{{0, 0, 300_000}, {1_000, 70_000, 71_000}, {299_999, 9, 300_000}} {
		got := must(c.CalculateHash(c.ctx, &orbitv1.HashRequest{Path: path, Offset: r.offset, Length: r.length}))(t)
		if want := blake3.Sum256(content[r.offset:r.to]); !bytes.Equal(got.Hash, want[:]) {
			t.Errorf("%v: %x", r, got.Hash)
		}
	}
	_, err := c.CalculateHash(c.ctx, &orbitv1.HashRequest{Path: path, Offset: 300_001})
	refused(t, "behind the end", err, codes.OutOfRange)
}

func TestReadStream(t *testing.T) {
	c := connect(t)
	for name, size := range map[string]int{"several": 200_000, "one": 64 * 1024, "empty": 0} {
		path, content := c.put(t, name, size)
		read := must(c.messages(path, mint(c.secret, good(path))))(t)
		if !bytes.Equal(bytes.Join(read, nil), content) || len(read) < size/(64*1024) {
			t.Errorf("%s: %d messages", name, len(read))
		}
	}
}

func TestTokens(t *testing.T) {
	c := connect(t)
	path, _ := c.put(t, "file", 10)
	other, _ := c.put(t, "other", 10)
	now := time.Now().Unix()
	token := mint(c.secret, good(path))
	with := func(change func(*claims)) string {
		changed := good(path)
		change(&changed)
		return mint(c.secret, changed)
	}
	for what, token := range map[string]string{
		"none":                   "",
		"no JWT":                 "token",
		"another key":            mint("another", good(path)),
		"another file":           mint(c.secret, good(other)),
		"the same file, written": with(func(c *claims) { c.AllowFile = strings.Replace(path, "/", "//", 1) }),
		"expired":                with(func(c *claims) { c.Iat, c.Exp = now-3_600, now-10 }),
		"another issuer":         with(func(c *claims) { c.Iss = "orbit-star" }),
		"another subject":        with(func(c *claims) { c.Sub = "session" }),
		"no algorithm":           sign(c.secret, `{"alg":"none"}`, good(path)),
		"no signature":           token[:strings.LastIndex(token, ".")+1],
		"a critical header":      sign(c.secret, `{"alg":"HS256","crit":["b64"],"b64":true}`, good(path)),
		"another spelling":       token + "=",
	} {
		_, err := c.messages(path, token)
		refused(t, what, err, codes.PermissionDenied)
	}
	_, err := c.messages(path, with(func(c *claims) { c.Iat, c.Exp = now-3_600, now-2 }))
	refused(t, "expired by less than clocks differ", err, codes.OK)
}

func TestJail(t *testing.T) {
	c := connect(t)
	path, _ := c.put(t, "file", 10)
	link, below := filepath.Join(c.folder, "link"), filepath.Join(c.folder, "linked")
	ok(t, os.Symlink("/etc/passwd", link))
	ok(t, os.Symlink("/etc", below))
	for what, asked := range map[string]struct {
		path string
		code codes.Code
	}{
		"outside":               {"/etc/passwd", codes.PermissionDenied},
		"..":                    {c.folder + "/../../etc/passwd", codes.PermissionDenied},
		"a link":                {link, codes.PermissionDenied},
		"a link on the way":     {below + "/passwd", codes.PermissionDenied},
		"NUL":                   {path + "\x00", codes.InvalidArgument},
		"a name of 256 bytes":   {filepath.Join(c.folder, strings.Repeat("n", 256)), codes.InvalidArgument},
		"nothing there":         {path + "2", codes.NotFound},
		"a folder":              {c.folder, codes.FailedPrecondition},
		"a file where a folder": {path + "/file", codes.FailedPrecondition},
	} {
		_, err := c.ReadHeader(c.ctx, &orbitv1.ReadHeaderRequest{Path: asked.path, Length: 1})
		refused(t, what+": ReadHeader", err, asked.code)
		_, err = c.messages(asked.path, mint(c.secret, good(asked.path)))
		refused(t, what+": ReadStream", err, asked.code)
	}
	_, err := c.entries(c.ctx, "/etc")
	refused(t, "outside: ScanDirectory", err, codes.PermissionDenied)
	_, err = c.entries(c.ctx, path)
	refused(t, "a file: ScanDirectory", err, codes.FailedPrecondition)
}

func TestReplicateFile(t *testing.T) {
	c := connect(t)
	path, content := c.put(t, "file", 500_000)
	sum := sha256.Sum256(content)
	order := func(local string) *orbitv1.ReplicateRequest { // It is its own source.
		return &orbitv1.ReplicateRequest{SourceStarUrl: "http://" + c.address, RemotePath: path,
			LocalPath: filepath.Join(c.folder, local), TransferToken: mint(c.secret, good(path))}
	}
	checked := order("new/folder/copy")
	checked.ExpectedSize, checked.ExpectedChecksum = 500_000, sum[:]
	for _, in := range []*orbitv1.ReplicateRequest{order("copy"), checked} {
		done := must(c.ReplicateFile(c.ctx, in))(t)
		if !done.Success || done.BytesTransferred != 500_000 || done.Checksum != hex.EncodeToString(sum[:]) {
			t.Errorf("%v", done)
		}
		if got := must(os.ReadFile(in.LocalPath))(t); !bytes.Equal(got, content) {
			t.Errorf("%d bytes stand there", len(got))
		}
	}
	for code, change := range map[codes.Code]func(*orbitv1.ReplicateRequest){
		codes.DataLoss:           func(in *orbitv1.ReplicateRequest) { in.ExpectedSize = 499_999 },
		codes.PermissionDenied:   func(in *orbitv1.ReplicateRequest) { in.TransferToken = mint("another", good(path)) },
		codes.InvalidArgument:    func(in *orbitv1.ReplicateRequest) { in.ExpectedChecksum = sum[:31] },
		codes.Unavailable:        func(in *orbitv1.ReplicateRequest) { in.SourceStarUrl = "http://127.0.0.1:1" },
		codes.FailedPrecondition: func(in *orbitv1.ReplicateRequest) { in.LocalPath = c.folder },
		codes.NotFound: func(in *orbitv1.ReplicateRequest) {
			in.RemotePath = path + "2"
			in.TransferToken = mint(c.secret, good(in.RemotePath))
		},
	} {
		in := order("never")
		change(in)
		_, err := c.ReplicateFile(c.ctx, in)
		refused(t, code.String(), err, code)
		if _, err := os.Stat(filepath.Join(c.folder, "never")); err == nil {
			t.Errorf("%v: a file stands there", code)
		}
	}
	in := order("never")
	in.ExpectedChecksum = make([]byte, 32)
	_, err := c.ReplicateFile(c.ctx, in)
	refused(t, "another SHA-256", err, codes.DataLoss)
}

func TestHealth(t *testing.T) {
	c := connect(t)
	for _, service := range []string{"", "orbit.v1.StarService"} {
		told := must(healthv1.NewHealthClient(c.conn).Check(c.ctx, &healthv1.HealthCheckRequest{Service: service}))(t)
		if told.Status != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v", service, told)
		}
	}
	_, err := healthv1.NewHealthClient(c.conn).Check(c.ctx, &healthv1.HealthCheckRequest{Service: "another"})
	refused(t, "another service", err, codes.NotFound)
}

func TestReflection(t *testing.T) {
	c := connect(t)
	stream := must(reflectionv1.NewServerReflectionClient(c.conn).ServerReflectionInfo(c.ctx))(t)
	ask := func(in *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
		ok(t, stream.Send(in))
		return must(stream.Recv())(t)
	}
	var names []string
	for _, service := range ask(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}).GetListServicesResponse().GetService() {
		names = append(names, service.Name)
	}
	if !slices.Contains(names, "orbit.v1.StarService") {
		t.Errorf("%v", names)
	}
	file := ask(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "orbit.v1.StarService"}})
	var told descriptorpb.FileDescriptorProto
	ok(t, proto.Unmarshal(file.GetFileDescriptorResponse().GetFileDescriptorProto()[0], &told))
	ours := orbitv1.File_orbitv1_orbit_proto
	for i := range ours.Messages().Len() {
		has(t, &told, ours.Messages().Get(i))
	}
	calls := map[string]bool{}
	for _, method := range told.Service[0].Method {
		calls[method.GetName()+method.GetInputType()+method.GetOutputType()] = method.GetServerStreaming()
	}
	methods := ours.Services().Get(0).Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		streams, known := calls[string(m.Name())+"."+string(m.Input().FullName())+"."+string(m.Output().FullName())]
		if !known || streams != m.IsStreamingServer() {
			t.Errorf("%s is another call: %v", m.Name(), calls)
		}
	}
}

// has says whether a file of the star has a message with the fields that the first stars know, whatever else it has.
func has(t *testing.T, file *descriptorpb.FileDescriptorProto, message protoreflect.MessageDescriptor) {
	t.Helper()
	for _, candidate := range file.MessageType {
		if candidate.GetName() != string(message.Name()) {
			continue
		}
		for i := range message.Fields().Len() {
			field := message.Fields().Get(i)
			if !slices.ContainsFunc(candidate.Field, func(f *descriptorpb.FieldDescriptorProto) bool {
				return f.GetName() == string(field.Name()) && f.GetNumber() == int32(field.Number()) &&
					protoreflect.Kind(f.GetType()) == field.Kind() &&
					(f.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REPEATED) == field.IsList()
			}) {
				t.Errorf("%s is another field", field.FullName())
			}
		}
		return
	}
	t.Errorf("%s is not there", message.FullName())
}
