module catalyst.internal/interop

go 1.22
