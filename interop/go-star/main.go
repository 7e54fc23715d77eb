// Command star is a star of the first kind, on gRPC for Go: it knows what orbitv1/orbit.proto has and nothing that came
// later. It serves one folder and fetches into it, as far as the calls go that it is told to have.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:0", "where it listens")
	calls := flag.String("calls", "Handshake,ScanDirectory,ReadHeader,CalculateHash,ReplicateFile,ReadStream",
		"the calls that it has")
	s := &star{token: os.Getenv("ORBIT_STAR_TOKEN"), secret: os.Getenv("ORBIT_AUTH_SECRET")}
	flag.StringVar(&s.folder, "allow", ".", "the folder that is served and written to")
	flag.IntVar(&s.chunk, "chunk", 64*1024, "bytes in each message of a file")
	flag.Int64Var(&s.stallAfter, "stall-after", -1, "bytes of a file after which nothing more is sent")
	flag.BoolVar(&s.textOnly, "text-only", false, "tell failures of replications in the answer alone")
	flag.Parse()
	if s.token == "" || s.secret == "" {
		return fmt.Errorf("a star needs ORBIT_STAR_TOKEN and ORBIT_AUTH_SECRET")
	}
	var err error
	if s.folder, err = filepath.Abs(s.folder); err != nil {
		return err
	}
	if s.root, err = os.OpenRoot(s.folder); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
		return status.Error(codes.Unimplemented, "")
	}))
	server.RegisterService(services(strings.Split(*calls, ",")), s)
	fmt.Println(listener.Addr())
	return server.Serve(listener)
}
