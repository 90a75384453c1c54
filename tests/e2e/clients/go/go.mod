module garam/e2e/clients

// The newest of franz-go that Debian 12's Go, 1.19, builds. Newer ones want 1.21 said here.
go 1.21

require (
	github.com/twmb/franz-go v1.16.1
	github.com/twmb/franz-go/pkg/kadm v1.12.0
	github.com/twmb/franz-go/pkg/kmsg v1.8.0
)

require (
	github.com/klauspost/compress v1.17.8 // indirect
	github.com/pierrec/lz4/v4 v4.1.21 // indirect
	golang.org/x/crypto v0.23.0 // indirect
)
