module catalyst.internal/peer

go 1.22
