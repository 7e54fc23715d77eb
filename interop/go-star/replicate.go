package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"catalyst.internal/star/orbitv1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func (s *star) ReplicateFile(ctx context.Context, in *orbitv1.ReplicateRequest) (*orbitv1.ReplicateResponse, error) {
	if err := s.known(ctx); err != nil {
		return nil, err
	}
	done, err := s.replicate(ctx, in)
	if err != nil && s.textOnly {
		return &orbitv1.ReplicateResponse{ErrorMessage: err.Error()}, nil
	}
	return done, err
}

// replicate writes beside the name, and renames what is whole (star.md §5).
func (s *star) replicate(ctx context.Context, in *orbitv1.ReplicateRequest) (*orbitv1.ReplicateResponse, error) {
	name, err := s.within(in.LocalPath)
	if err != nil {
		return nil, err
	}
	if err := s.root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, refusal(err)
	}
	part := name + "." + rand.Text() + ".part"
	file, err := s.root.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, refusal(err)
	}
	defer s.root.Remove(part)
	defer file.Close()
	h := sha256.New()
	size, err := fetch(ctx, in, io.MultiWriter(file, h))
	if err != nil {
		return nil, err
	}
	sum := h.Sum(nil)
	if in.ExpectedSize != 0 && in.ExpectedSize != size ||
		len(in.ExpectedChecksum) != 0 && !bytes.Equal(in.ExpectedChecksum, sum) {
		return nil, status.Error(codes.DataLoss, "the file is another one than was expected")
	}
	if err := errors.Join(file.Sync(), s.root.Rename(part, name)); err != nil {
		return nil, refusal(err)
	}
	return &orbitv1.ReplicateResponse{Success: true, BytesTransferred: size, Checksum: hex.EncodeToString(sum)}, nil
}

// fetch reads a file of a source from its beginning to its end, in messages of at most 4 MiB, which is gRPC's own limit.
func fetch(ctx context.Context, in *orbitv1.ReplicateRequest, to io.Writer) (uint64, error) {
	address, isPlain := strings.CutPrefix(in.SourceStarUrl, "http://")
	if !isPlain {
		return 0, status.Errorf(codes.InvalidArgument, "%s is no URL of a star", in.SourceStarUrl)
	}
	conn, err := grpc.NewClient(strings.TrimSuffix(address, "/"),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, status.Error(codes.InvalidArgument, err.Error())
	}
	defer conn.Close()
	stream, err := orbitv1.NewStarServiceClient(conn).ReadStream(ctx,
		&orbitv1.ReadStreamRequest{Path: in.RemotePath, TransferToken: in.TransferToken})
	if err != nil {
		return 0, err
	}
	for size := uint64(0); ; {
		message, err := stream.Recv()
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return 0, err
		}
		n, err := to.Write(message.Chunk)
		if err != nil {
			return 0, refusal(err)
		}
		size += uint64(n)
	}
}
