package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// claims of a transfer token (star.md §3), those that the first stars know.
type claims struct {
	Sub       string `json:"sub"`
	AllowFile string `json:"allow_file"`
	Iat       int64  `json:"iat"`
	Exp       int64  `json:"exp"`
	Iss       string `json:"iss"`
}

const (
	header  = `{"alg":"HS256"}`
	subject = "transfer"
	issuer  = "orbit-nucleus"
)

var base64url = base64.RawURLEncoding.Strict()

// good are the claims of a token for an hour.
func good(path string) claims {
	now := time.Now().Unix()
	return claims{subject, path, now, now + 3600, issuer}
}

// mint signs claims under a secret: RFC 7515 in compact form.
func mint(secret string, c claims) string { return sign(secret, header, c) }

func sign(secret, header string, c claims) string {
	body, _ := json.Marshal(c)
	signed := base64url.EncodeToString([]byte(header)) + "." + base64url.EncodeToString(body)
	return signed + "." + base64url.EncodeToString(mac(secret, signed))
}

func mac(secret, signed string) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(signed))
	return h.Sum(nil)
}

// verify says whether a token is good for a path.
func verify(secret, token, path string) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errors.New("the token is no JWT")
	}
	given, err := base64url.DecodeString(parts[2])
	if err != nil || !hmac.Equal(given, mac(secret, parts[0]+"."+parts[1])) {
		return errors.New("the token is not signed with the secret")
	}
	var head struct{ Alg string }
	var c claims
	if read(parts[0], &head) != nil || read(parts[1], &c) != nil || head.Alg != "HS256" {
		return errors.New("the token is no JWT of HS256")
	}
	switch {
	case c.Iss != issuer || c.Sub != subject:
		return errors.New("the token is not for a transfer")
	case c.Exp <= time.Now().Unix():
		return errors.New("the token has expired")
	case c.AllowFile != path:
		return errors.New("the token is for another file")
	}
	return nil
}

func read(part string, into any) error {
	b, err := base64url.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}
