package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"catalyst.internal/star/orbitv1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"lukechampine.com/blake3"
)

// star is one of the first kind: it knows no ranges, has one session for all, and says what it can by its answers alone.
type star struct {
	orbitv1.UnimplementedStarServiceServer
	folder        string
	root          *os.Root
	token, secret string
	chunk         int
	stallAfter    int64 // bytes of a file after which nothing more is sent; negative: never
	textOnly      bool  // failures of replications are told in the answer, and the call succeeds

	mu      sync.Mutex
	session string
}

// services has the calls of StarService that are named; what else is asked for is UNIMPLEMENTED, without a word.
func services(calls []string) *grpc.ServiceDesc {
	all := orbitv1.StarService_ServiceDesc
	some := grpc.ServiceDesc{ServiceName: all.ServiceName, HandlerType: all.HandlerType, Metadata: all.Metadata}
	for _, name := range calls {
		for _, m := range all.Methods {
			if m.MethodName == name {
				some.Methods = append(some.Methods, m)
			}
		}
		for _, s := range all.Streams {
			if s.StreamName == name {
				some.Streams = append(some.Streams, s)
			}
		}
	}
	return &some
}

func (s *star) Handshake(_ context.Context, in *orbitv1.HandshakeRequest) (*orbitv1.HandshakeResponse, error) {
	if subtle.ConstantTimeCompare([]byte(in.StarToken), []byte(s.token)) == 0 {
		return &orbitv1.HandshakeResponse{}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = rand.Text()
	return &orbitv1.HandshakeResponse{Accepted: true, SessionId: s.session, NucleusVersion: "go"}, nil
}

// known says whether a call belongs to the session (star.md §2).
func (s *star) known(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	ids := md.Get("session-id")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(ids) == 1 && s.session != "" && ids[0] == s.session {
		return nil
	}
	return status.Error(codes.Unauthenticated, "no session")
}

func (s *star) ScanDirectory(in *orbitv1.ScanRequest, out grpc.ServerStreamingServer[orbitv1.FileEntry]) error {
	if err := s.known(out.Context()); err != nil {
		return err
	}
	folder, err := s.open(in.Path)
	if err != nil {
		return err
	}
	defer folder.Close()
	entries, err := folder.ReadDir(-1)
	if err != nil {
		return refusal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			continue
		}
		told := &orbitv1.FileEntry{Name: info.Name(), IsDir: info.IsDir(), ModifiedAtTs: uint64(info.ModTime().Unix())}
		if !info.IsDir() {
			told.Size = uint64(info.Size())
		}
		if err := out.Send(told); err != nil {
			return err
		}
	}
	return nil
}

func (s *star) ReadHeader(ctx context.Context, in *orbitv1.ReadHeaderRequest) (*orbitv1.ReadHeaderResponse, error) {
	if err := s.known(ctx); err != nil {
		return nil, err
	}
	file, err := s.open(in.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, int64(in.Length)))
	if err != nil {
		return nil, refusal(err)
	}
	return &orbitv1.ReadHeaderResponse{Data: data}, nil
}

func (s *star) CalculateHash(ctx context.Context, in *orbitv1.HashRequest) (*orbitv1.HashResponse, error) {
	if err := s.known(ctx); err != nil {
		return nil, err
	}
	file, err := s.open(in.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	length := int64(in.Length)
	if length == 0 {
		length = 1<<63 - 1
	}
	if _, err = file.Seek(int64(in.Offset), io.SeekStart); err != nil {
		return nil, refusal(err)
	}
	h := blake3.New(32, nil)
	if _, err = io.Copy(h, io.LimitReader(file, length)); err != nil {
		return nil, refusal(err)
	}
	return &orbitv1.HashResponse{Hash: h.Sum(nil)}, nil
}

// ReadStream knows no ranges: it sends the file from its beginning, whatever was asked (star.md §4).
func (s *star) ReadStream(in *orbitv1.ReadStreamRequest, out grpc.ServerStreamingServer[orbitv1.ReadStreamResponse]) error {
	if err := verify(s.secret, in.TransferToken, in.Path); err != nil {
		return status.Error(codes.PermissionDenied, err.Error())
	}
	file, err := s.open(in.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	block := make([]byte, s.chunk)
	for sent := int64(0); ; {
		n, err := io.ReadFull(file, block)
		if n > 0 {
			if err := out.Send(&orbitv1.ReadStreamResponse{Chunk: block[:n]}); err != nil {
				return err
			}
		}
		if sent += int64(n); s.stallAfter >= 0 && sent >= s.stallAfter {
			<-out.Context().Done()
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return refusal(err)
		}
	}
}

func (s *star) open(path string) (*os.File, error) {
	name, err := s.within(path)
	if err != nil {
		return nil, err
	}
	file, err := s.root.Open(name)
	if err != nil {
		return nil, refusal(err)
	}
	return file, nil
}

// within is a path below the folder: it is relative to it, or absolute and below it.
func (s *star) within(path string) (string, error) {
	if filepath.IsAbs(path) {
		below, err := filepath.Rel(s.folder, path)
		if err != nil {
			return "", status.Error(codes.PermissionDenied, "the path leads out")
		}
		path = below
	}
	if path == "" {
		path = "."
	}
	if strings.ContainsRune(path, 0) || !filepath.IsLocal(path) {
		return "", status.Error(codes.PermissionDenied, "the path leads out")
	}
	return path, nil
}

// refusal is the status of a failure of the system (star.md §9).
func refusal(err error) error {
	code := codes.PermissionDenied // of os.Root too, where a link leads out
	switch {
	case errors.Is(err, fs.ErrNotExist):
		code = codes.NotFound
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR):
		code = codes.FailedPrecondition
	case errors.Is(err, syscall.ENOSPC):
		code = codes.ResourceExhausted
	}
	return status.Error(code, err.Error())
}
