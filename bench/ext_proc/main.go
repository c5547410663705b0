// A processor for Envoy's ext_proc filter that does nothing but add a header each way: what a gateway beside Envoy costs at the least.
package main

import (
	"io"
	"log"
	"net"
	"os"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	proc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
)

type hello struct {
	proc.UnimplementedExternalProcessorServer
}

func added(value string) *proc.CommonResponse {
	header := &core.HeaderValue{Key: "x-hello", RawValue: []byte(value)}
	return &proc.CommonResponse{HeaderMutation: &proc.HeaderMutation{SetHeaders: []*core.HeaderValueOption{{Header: header}}}}
}

func answer(request *proc.ProcessingRequest) *proc.ProcessingResponse {
	switch request.Request.(type) {
	case *proc.ProcessingRequest_RequestHeaders:
		return &proc.ProcessingResponse{Response: &proc.ProcessingResponse_RequestHeaders{RequestHeaders: &proc.HeadersResponse{Response: added("request")}}}
	case *proc.ProcessingRequest_RequestBody:
		return &proc.ProcessingResponse{Response: &proc.ProcessingResponse_RequestBody{RequestBody: &proc.BodyResponse{}}}
	case *proc.ProcessingRequest_ResponseHeaders:
		return &proc.ProcessingResponse{Response: &proc.ProcessingResponse_ResponseHeaders{ResponseHeaders: &proc.HeadersResponse{Response: added("answer")}}}
	}
	return &proc.ProcessingResponse{}
}

func (hello) Process(stream proc.ExternalProcessor_ProcessServer) error {
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(answer(request)); err != nil {
			return err
		}
	}
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	proc.RegisterExternalProcessorServer(server, hello{})
	log.Fatal(server.Serve(listener))
}
