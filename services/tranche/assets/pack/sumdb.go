// Checks a published log with the packages of Go's checksum database: golang.org/x/mod/sumdb/note and
// tlog, as Debian packs them. It shares no code with what it checks.
//
//	sumdb SITE PUBLIC_KEY
//
// SITE is a directory as c2sp.org/tlog-tiles lays it out. Commands come on standard input, a line each,
// and are answered by a line: "ok ..." or "no REASON". Every command reads the files anew.
//
//	checkpoint                   the signature: ok SIZE ROOT
//	root SIZE                    from the tiles, each held against the signed root: ok ROOT
//	entries                      every entry of every bundle is in the tree, and every tile: ok SIZE
//	consistency OLD ROOT HASH... our proof, from an older root to the signed one
//	proof PROOF COMMIT           a file of c2sp.org/tlog-proof@v1 and the commit that it is about
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8
const width = 1 << height

// Go's decoder passes over line ends and over bits that Base64 does not need, and so does note.Open: a
// signature can be written in more than one way. That is no forgery, but here every bit is held.
func decode(text string) ([]byte, error) {
	bytes, err := base64.StdEncoding.DecodeString(text)
	if err == nil && base64.StdEncoding.EncodeToString(bytes) != text {
		err = errors.New("more than one way to write this in Base64")
	}
	return bytes, err
}

func hash(text string) (tlog.Hash, error) {
	var hash tlog.Hash
	bytes, err := decode(text)
	if err == nil && len(bytes) != len(hash) {
		err = errors.New("not a hash")
	}
	copy(hash[:], bytes)
	return hash, err
}

func hashes(texts []string) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, text := range texts {
		one, err := hash(text)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func number(text string) (int64, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err == nil && strconv.FormatInt(number, 10) != text {
		err = errors.New("more than one way to write a number")
	}
	return number, err
}

type site struct {
	dir      string
	verifier note.Verifier
}

// The signed text is not that of sumdb, whose first line is fixed: its ParseTree does not read ours.
func (site *site) open(message []byte) (tlog.Tree, error) {
	var tree tlog.Tree
	opened, err := note.Open(message, note.VerifierList(site.verifier))
	if err != nil {
		return tree, err
	}
	for _, signature := range opened.Sigs {
		if _, err := decode(signature.Base64); err != nil {
			return tree, err
		}
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != site.verifier.Name() {
		return tree, errors.New("not a checkpoint of this log")
	}
	if tree.N, err = number(lines[1]); err != nil {
		return tree, err
	}
	tree.Hash, err = hash(lines[2])
	return tree, err
}

func (site *site) checkpoint() (tlog.Tree, error) {
	message, err := os.ReadFile(filepath.Join(site.dir, "checkpoint"))
	if err != nil {
		return tlog.Tree{}, err
	}
	return site.open(message)
}

// The paths of c2sp.org/tlog-tiles are those of sumdb without the height, and with "entries" for "data".
func (site *site) read(tile tlog.Tile) ([]byte, error) {
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
	path = strings.Replace(path, "tile/data/", "tile/entries/", 1)
	return os.ReadFile(filepath.Join(site.dir, path))
}

// Reads tiles for sumdb, which holds each against the root before it uses it.
type reader struct {
	site *site
	seen map[tlog.Tile][]byte
}

func (reader *reader) Height() int                             { return height }
func (reader *reader) SaveTiles(tiles []tlog.Tile, _ [][]byte) {}
func (reader *reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, known := reader.seen[tile]
		if !known {
			var err error
			if data, err = reader.site.read(tile); err != nil {
				return nil, err
			}
			reader.seen[tile] = data
		}
		all = append(all, data)
	}
	return all, nil
}

func (site *site) tree() (tlog.Tree, tlog.HashReader, error) {
	tree, err := site.checkpoint()
	return tree, tlog.TileHashReader(tree, &reader{site, make(map[tlog.Tile][]byte)}), err
}

func (site *site) root(size int64) (string, error) {
	_, reader, err := site.tree()
	if err != nil {
		return "", err
	}
	root, err := tlog.TreeHash(size, reader)
	return root.String(), err
}

// Every entry is where the tiles say, and with them every tile is held against the root.
func (site *site) entries() (string, error) {
	tree, reader, err := site.tree()
	if err != nil {
		return "", err
	}
	indexes := make([]int64, tree.N)
	for index := range indexes {
		indexes[index] = tlog.StoredHashIndex(0, int64(index))
	}
	leaves, err := reader.ReadHashes(indexes)
	if err != nil {
		return "", err
	}
	var bundle []byte
	for index, leaf := range leaves {
		if index%width == 0 {
			count := len(leaves) - index
			if count > width {
				count = width
			}
			if len(bundle) > 0 {
				return "", errors.New("a bundle is too long")
			}
			if bundle, err = site.read(tlog.Tile{H: height, L: -1, N: int64(index / width), W: count}); err != nil {
				return "", err
			}
		}
		if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
			return "", errors.New("a bundle is too short")
		}
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		if tlog.RecordHash(bundle[2:end]) != leaf {
			return "", fmt.Errorf("entry %d is not in the tree", index)
		}
		bundle = bundle[end:]
	}
	if len(bundle) > 0 {
		return "", errors.New("a bundle is too long")
	}
	return strconv.FormatInt(tree.N, 10), nil
}

// Our proof holds, and is the one that sumdb makes from our tiles.
func (site *site) consistency(old int64, words []string) (string, error) {
	tree, reader, err := site.tree()
	if err != nil {
		return "", err
	}
	given, err := hashes(words)
	if err != nil {
		return "", err
	}
	if err := tlog.CheckTree(given[1:], tree.N, tree.Hash, old, given[0]); err != nil {
		return "", err
	}
	own, err := tlog.ProveTree(tree.N, old, reader)
	if err == nil && fmt.Sprint(own) != fmt.Sprint(tlog.TreeProof(given[1:])) {
		err = errors.New("another proof than sumdb makes")
	}
	return "", err
}

func (site *site) proof(proof, commit string) (string, error) {
	text, err := os.ReadFile(proof)
	if err != nil {
		return "", err
	}
	entry, err := os.ReadFile(commit)
	if err != nil {
		return "", err
	}
	parts := strings.SplitN(string(text), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if len(parts) != 2 || lines[0] != "c2sp.org/tlog-proof@v1" || len(lines) < 2 || !strings.HasPrefix(lines[1], "index ") {
		return "", errors.New("not a tlog-proof")
	}
	index, err := number(lines[1][len("index "):])
	if err != nil {
		return "", err
	}
	path, err := hashes(lines[2:])
	if err != nil {
		return "", err
	}
	tree, err := site.open([]byte(parts[1]))
	if err != nil {
		return "", err
	}
	return "", tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}

func (site *site) answer(words []string) (string, error) {
	switch {
	case len(words) == 1 && words[0] == "checkpoint":
		tree, err := site.checkpoint()
		return fmt.Sprintf("%d %s", tree.N, tree.Hash), err
	case len(words) == 1 && words[0] == "entries":
		return site.entries()
	case len(words) == 2 && words[0] == "root":
		size, err := number(words[1])
		if err != nil {
			return "", err
		}
		return site.root(size)
	case len(words) >= 3 && words[0] == "consistency":
		old, err := number(words[1])
		if err != nil {
			return "", err
		}
		return site.consistency(old, words[2:])
	case len(words) == 3 && words[0] == "proof":
		return site.proof(words[1], words[2])
	}
	return "", errors.New("not a command")
}

func main() {
	verifier, err := note.NewVerifier(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	site := &site{os.Args[1], verifier}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if said, err := site.answer(strings.Fields(lines.Text())); err != nil {
			fmt.Println("no", err)
		} else {
			fmt.Println("ok", said)
		}
	}
}
