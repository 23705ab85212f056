package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/node"
	"github.com/trunklog/trunklog/store"
	"github.com/trunklog/trunklog/tenant"
)

func (p *program) dbCommand() *cobra.Command {
	return group("db", "Look after the store", p.dbCheckCommand(), p.dbStatsCommand(), p.dbBackupCommand(), p.dbRestoreCommand(), p.dbCompactCommand(), p.dbUpgradeCommand())
}

// keeper opens the house and calls f with the keeper of its store.
func (p *program) keeper(cmd *cobra.Command, f func(ctx context.Context, h *house, k admin.Keeper) error) (err error) {
	return p.keeperOf(cmd, store.Options{Existing: true, Upgrade: p.upgrading().Report(cmd.Context())}, f)
}

func (p *program) keeperOf(cmd *cobra.Command, o store.Options, f func(ctx context.Context, h *house, k admin.Keeper) error) (err error) {
	h, err := p.enterWith(cmd.Context(), cmd, o)
	if err != nil {
		return err
	}
	defer h.close(&err)
	k, ok := h.store.(admin.Keeper)
	if !ok {
		return errors.New("this store is looked after by the tools of its own server")
	}
	return f(cmd.Context(), h, k)
}

func (p *program) dbCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read everything and verify every checksum, index and count",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.keeper(cmd, func(ctx context.Context, _ *house, k admin.Keeper) error {
				problems := 0
				err := k.Check(ctx, func(problem string) {
					problems++
					fmt.Fprintln(p.stdout, problem)
				})
				switch {
				case err != nil:
					return err
				case problems > 0:
					return fmt.Errorf("%s found: restore a backup, or delete what is named and import it again", count(problems, "problem", "problems"))
				}
				fmt.Fprintln(p.stderr, "no problem found")
				return nil
			})
		},
	}
}

func (p *program) dbStatsCommand() *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show how many rows there are and what they take",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.keeper(cmd, func(ctx context.Context, h *house, k admin.Keeper) error {
				s, err := k.Stats(ctx)
				if err != nil {
					return err
				}
				return p.printStats(ctx, h, form, s)
			})
		},
	}
	outputFlag(cmd, &form)
	return cmd
}

// A tenantLine is one tenant in the output of db stats.
type tenantLine struct {
	Tenant       string `json:"tenant"`
	Rows         int64  `json:"rows"`
	Oldest       string `json:"oldest,omitempty"`
	Newest       string `json:"newest,omitempty"`
	BytesPerRow  int64  `json:"bytesPerRow"`
	StoreBytes   int64  `json:"storeBytes"`
	StoreEngine  string `json:"storeEngine"`
	StoreVersion int    `json:"storeVersion"`
}

func (p *program) printStats(ctx context.Context, h *house, form string, s call.Stats) error {
	perRow := s.Bytes / max(s.Rows, 1)
	t := table{{"TENANT", "ROWS", "OLDEST", "NEWEST"}}
	var lines []tenantLine
	for _, per := range s.Per {
		name := tenant.Unassigned
		if !per.Tenant.IsZero() {
			name = per.Tenant.String()
			if found, err := h.tenants.Find(ctx, name); err == nil {
				name = found.Name
			}
		}
		t = append(t, []string{name, strconv.FormatInt(per.Rows, 10), stamp(per.Oldest), stamp(per.Newest)})
		lines = append(lines, tenantLine{name, per.Rows, stamp(per.Oldest), stamp(per.Newest), perRow, s.Bytes, s.Engine, s.Format})
	}
	if err := p.print(form, t, lines); err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "%s in %d bytes on disk, %d bytes a row (%s, format %d)\n", count(s.Rows, "row", "rows"), s.Bytes, perRow, s.Engine, s.Format)
	return nil
}

func (p *program) dbCompactCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compact",
		Short: "Give space that is no longer needed back to the disk",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.keeper(cmd, func(ctx context.Context, _ *house, k admin.Keeper) error {
				before, err := k.Stats(ctx)
				if err != nil {
					return err
				}
				if err := k.Compact(ctx); err != nil {
					return err
				}
				after, err := k.Stats(ctx)
				if err != nil {
					return err
				}
				fmt.Fprintf(p.stderr, "%s are on the disk; %s were given back\n", mebibytes(after.Bytes), mebibytes(max(0, before.Bytes-after.Bytes)))
				return nil
			})
		},
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func (p *program) dbBackupCommand() *cobra.Command {
	var apart string
	var tlsKeys bool
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Write a consistent copy of everything, also while the server runs",
		Long: `Write a consistent copy of the store, with the master key and the certificates
that belong to it, to a new or an empty folder. The copy can sign in to everything that the
original can: keep it as safe as the data folder itself. A key that is kept apart
with --master-key-file is checked, but not copied.

The private keys of the certificates, in DATA/tls, are not copied: who has that of
the authority can be this server to its clients. Keep them apart, or say --tls-keys.`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			// The copy of a store of an older format has that format, too.
			return p.keeperOf(cmd, store.Options{Existing: true, AsItIs: true}, func(ctx context.Context, h *house, k admin.Keeper) error {
				if err := p.backup(ctx, h, k, args[0], apart, tlsKeys); err != nil {
					return fmt.Errorf("backup: %w", err)
				}
				return nil
			})
		},
	}
	keyFlag(cmd, &apart)
	cmd.Flags().BoolVar(&tlsKeys, "tls-keys", false, "copy the private keys of the certificates, too")
	return cmd
}

func keyFlag(cmd *cobra.Command, apart *string) {
	cmd.Flags().StringVar(apart, "master-key-file", "", "the `FILE` with the server's master key, if it is kept apart")
}

func (p *program) backup(ctx context.Context, h *house, k admin.Keeper, dir, apart string, tlsKeys bool) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := node.CheckKey(ctx, h.store, "data folder", h.dir, apart); err != nil {
		return err
	}
	undo, err := emptyFolder(dir)
	if err != nil {
		return err
	}
	if err := k.Backup(ctx, datadir.Store(dir)); err != nil {
		return errors.Join(err, undo())
	}
	left, err := copyKeys(h.dir, dir, tlsKeys)
	if err != nil {
		return errors.Join(err, undo())
	}
	fmt.Fprintf(p.stderr, "backup written to %s\n", dir)
	if len(left) > 0 {
		fmt.Fprintf(p.stderr, "the private keys in %s (%s) are not part of it: keep them apart, or say --tls-keys\n", datadir.TLS(h.dir), list(left))
	}
	for _, warning := range datadir.OpenToOthers(dir) {
		fmt.Fprintf(p.stderr, "warning: %s\n", warning)
	}
	p.noteKey(apart)
	return nil
}

// emptyFolder makes the folder dir, or accepts it if it exists and is empty. undo removes what was
// put into it since, and the folder if emptyFolder made it.
func emptyFolder(dir string) (undo func() error, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return func() error { return os.RemoveAll(dir) }, os.Mkdir(dir, 0o700)
	case err != nil:
		return nil, err
	case len(entries) > 0:
		return nil, fmt.Errorf("%s is not empty, and nothing is written over: name a new folder, or an empty one", dir)
	}
	return func() error {
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
		return err
	}, nil
}

// noteKey says that the command did not copy a master key that is kept apart.
func (p *program) noteKey(apart string) {
	if apart != "" {
		fmt.Fprintf(p.stderr, "the master key in %s is not part of it: keep it safe\n", apart)
	}
}

func (p *program) dbRestoreCommand() *cobra.Command {
	var apart string
	cmd := &cobra.Command{
		Use:   "restore DIR",
		Short: "Make a new data folder from a backup",
		Long: `Make the data folder (--data) from a backup. It must not exist or be empty: what
is there is never overwritten. The copy, and that the master key belongs to it,
is checked before the command is done.`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, _ := cmd.Flags().GetString("data")
			if err := p.restore(cmd.Context(), args[0], data, apart); err != nil {
				return fmt.Errorf("restore: %w", err)
			}
			fmt.Fprintf(p.stderr, "restored to %s\n", data)
			if _, err := os.Stat(datadir.CA(data)); err == nil {
				if _, err := os.Stat(datadir.CAKey(data)); errors.Is(err, fs.ErrNotExist) {
					fmt.Fprintf(p.stderr, "the backup has no private key of the certificate authority: put it back as %s or, for a new authority, which all clients need, remove %s and start once with 'trunklog serve --new-ca'\n", datadir.CAKey(data), datadir.CA(data))
				}
			}
			p.noteKey(apart)
			return nil
		},
	}
	keyFlag(cmd, &apart)
	return cmd
}

func (p *program) restore(ctx context.Context, backup, data, apart string) error {
	if _, err := os.Stat(datadir.Store(backup)); err != nil {
		return fmt.Errorf("%s is not a backup: %w", backup, err)
	}
	if inUse(ctx, backup) {
		return fmt.Errorf("%s is a data folder in use, and a copy of it could be torn: make a backup with 'trunklog db backup DIR --data %s', and restore that", backup, backup)
	}
	if entries, err := os.ReadDir(data); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: restore to a new folder, then put it in place of the old one", data)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	part := data + ".restoring"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.MkdirAll(part, 0o700); err != nil {
		return err
	}
	if err := p.fillRestored(ctx, backup, part, apart); err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	if err := os.Remove(data); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(part, data)
}

// inUse reports whether a process has the store of a data folder open. A backup has no file owner,
// so inUse does not open it.
func inUse(ctx context.Context, dir string) bool {
	if _, err := os.Stat(filepath.Join(datadir.Store(dir), "owner")); err != nil {
		return false
	}
	st, err := store.Open(ctx, "pebble:"+datadir.Store(dir), store.Options{Existing: true, ReadOnly: true, AsItIs: true})
	if err == nil {
		_ = st.Close() // nothing was written
	}
	return errors.Is(err, call.ErrInUse)
}

// fillRestored copies a backup to dir and checks the copy, and the master key in the backup or
// apart.
func (p *program) fillRestored(ctx context.Context, backup, dir, apart string) error {
	if err := os.CopyFS(datadir.Store(dir), os.DirFS(datadir.Store(backup))); err != nil {
		return err
	}
	if _, err := copyKeys(backup, dir, true); err != nil {
		return err
	}
	st, err := store.Open(ctx, "pebble:"+datadir.Store(dir), store.Options{Upgrade: p.upgrading().Report(ctx)})
	if err != nil {
		return err
	}
	err = node.CheckKey(ctx, st, "backup", backup, apart)
	problems := 0
	if k, ok := st.(call.Keeper); ok && err == nil {
		err = k.Check(ctx, func(problem string) {
			problems++
			fmt.Fprintln(p.stderr, problem)
		})
		// The restored store lacks the changes after the backup, so readers of changes must begin
		// again.
		err = errors.Join(err, k.NewEpoch(ctx))
	}
	if err = errors.Join(err, st.Close()); err == nil && problems > 0 {
		err = fmt.Errorf("the backup has %s", count(problems, "problem", "problems"))
	}
	return err
}

// copyKeys copies the master key and the folder of the certificates, which lie beside a store.
// Unless all is set it copies only certificates without a private key, and returns the names of the
// other files.
func copyKeys(from, to string, all bool) (left []string, err error) {
	key, err := os.ReadFile(datadir.Key(from))
	if err == nil {
		err = datadir.WriteNew(datadir.Key(to), key)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.Mkdir(datadir.TLS(to), 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(datadir.TLS(from))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(datadir.TLS(from), e.Name()))
		if err != nil {
			return nil, err
		}
		if !all && (!bytes.Contains(b, []byte("BEGIN CERTIFICATE")) || bytes.Contains(b, []byte("PRIVATE KEY"))) {
			left = append(left, e.Name())
			continue
		}
		if err := datadir.WriteNew(filepath.Join(datadir.TLS(to), e.Name()), b); err != nil {
			return nil, err
		}
	}
	return left, nil
}
