"""Power cuts: from a trace of a program's calls (fault.c), what its files may be afterwards.

The model, which is that of POSIX at its strictest for a disk with sectors of 512 octets:

- fsync and fdatasync make durable what was written to that file before, and its length; a write
  to a file opened with O_DSYNC is durable by itself, when it has returned.
- Of all other writes any sectors may be on the disk and others not, in any order: where several
  lie on one sector, any of them, or none. A sector is written in whole or not at all. (LMDB
  stands on that: the 120 octets of a head page that a commit changes lie within one sector. Disks
  promise it; nothing in LMDB's file would tell a torn head from a whole one.)
- The length is that of any moment since the last sync; what no write reached holds zeros.
- A name (new, renamed, linked, removed) is durable when its directory was synced; before, all
  such changes since the last sync are there, or a first few of them.
"""
import os
import shutil

SECTOR = 512
ZEROS = bytes(SECTOR)


class File:
    """A file that is being written: what is durable, and what is not yet."""

    def __init__(self, data=b''):
        self.durable, self.pending = bytearray(data), []  # ('w', offset, data) or ('t', length)

    def copy(self):
        other = File(self.durable)
        other.pending = list(self.pending)
        return other

    @staticmethod
    def put(data, event):
        if event[0] == 't':
            del data[event[1]:]
            data.extend(bytes(event[1] - len(data)))
        else:
            _, offset, new = event
            data.extend(bytes(max(0, offset + len(new) - len(data))))
            data[offset:offset + len(new)] = new

    def do(self, event, durable):
        if durable:
            # By itself: what is pending stays so, but on its octets this one is the last.
            self.put(self.durable, event)
        self.pending.append(event)

    def sync(self):
        for event in self.pending:
            self.put(self.durable, event)
        self.pending = []

    def choices(self):
        """For each sector what it may hold: the durable version first, then each later one."""
        now, sectors = bytearray(self.durable), {}
        lengths = [len(self.durable)]
        for event in self.pending:
            if event[0] == 't':
                self.put(now, event)
                lengths.append(len(now))
                continue
            _, offset, new = event
            self.put(now, event)
            lengths.append(len(now))
            for s in range(offset // SECTOR, (offset + len(new) - 1) // SECTOR + 1):
                versions = sectors.setdefault(s, [self.sector(self.durable, s)])
                versions.append(self.sector(now, s))
        return sectors, lengths

    @staticmethod
    def sector(data, s):
        part = bytes(data[s * SECTOR:(s + 1) * SECTOR])
        return part + ZEROS[len(part):]

    def after_cut(self, choose, choose_length):
        """The file after a cut; choose(sector, versions) and choose_length(lengths) decide."""
        sectors, lengths = self.choices()
        data = bytearray(self.durable)
        need = max([0] + [(s + 1) * SECTOR for s in sectors])
        data.extend(bytes(max(0, need - len(data))))
        for s, versions in sectors.items():
            data[s * SECTOR:(s + 1) * SECTOR] = choose(s, versions)
        length = choose_length(lengths)
        del data[length:]
        data.extend(bytes(length - len(data)))
        return data


class Disk:
    """The files below a directory as a trace goes by."""

    def __init__(self, root):
        self.root, self.files, self.changes, self.said = root, {}, [], ''
        folders = []
        for folder, inner, names in os.walk(root):
            folders += [os.path.join(folder, name) for name in inner]
            for name in names:
                path = os.path.join(folder, name)
                with open(path, 'rb') as f:
                    self.files[path] = File(f.read())
        # Both map paths to files (None: a directory): what a program sees, and what is durable.
        self.names = {**dict.fromkeys(folders), **self.files}

    def do(self, event):
        path = event.path
        if event.call == 'said':
            self.said += event.data.decode()
        elif event.call == 'write':
            self.files[path].do(('w', event.offset, event.data), event.durable)
        elif event.call == 'truncate':
            self.files[path].do(('t', event.offset), False)
        elif event.call == 'create':
            self.files[path] = File()
            self.changes.append((os.path.dirname(path), 'add', path, self.files[path]))
        elif event.call in ('rename', 'link'):
            to = event.data.decode()
            file = self.files[path]
            self.files[to] = file
            self.changes.append((os.path.dirname(to), 'add', to, file))
            if event.call == 'rename':
                del self.files[path]
                self.changes.append((os.path.dirname(path), 'remove', path, None))
        elif event.call == 'unlink':
            self.files.pop(path, None)
            self.changes.append((os.path.dirname(path), 'remove', path, None))
        elif event.call == 'mkdir':
            self.changes.append((os.path.dirname(path), 'mkdir', path, None))
        elif event.call == 'sync':
            self.sync(path)

    def sync(self, path):
        if path in self.files:
            self.files[path].sync()
            return
        left = []
        for change in self.changes:
            if change[0] == path:
                self.apply(self.names, change)
            else:
                left.append(change)
        self.changes = left

    @staticmethod
    def apply(names, change):
        _, what, path, file = change
        if what == 'add':
            names[path] = file
        elif what == 'remove':
            names.pop(path, None)
        else:
            names[path] = None  # a directory

    def after_cut(self, target, way, first_changes):
        """Builds the files in `target` as they may be, in one of the ways(); `first_changes` of
        the names' changes."""
        _, choose, choose_length = way
        names = dict(self.names)
        for change in self.changes[:first_changes]:
            self.apply(names, change)
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        for path, file in sorted(names.items(), key=lambda n: n[0]):
            place = target + path[len(self.root):]
            if path.endswith(' (deleted)') or not os.path.isdir(os.path.dirname(place)):
                continue  # it has no name, or its directory did not come into being
            if file is None:
                os.mkdir(place)
                continue
            with open(place, 'wb') as f:
                f.write(file.after_cut(choose, choose_length))


def ways(chance, n):
    """How a cut leaves the sectors: the extremes, then n of chance. (name, choose, length)"""
    def only(which):
        seen = {}

        def choose(s, versions):
            seen.setdefault('first', s)
            return versions[-1] if (s == seen['first']) == which else versions[0]
        return choose

    yield 'none', (lambda s, v: v[0]), (lambda lengths: lengths[0])
    yield 'all', (lambda s, v: v[-1]), (lambda lengths: lengths[-1])
    yield 'long and empty', (lambda s, v: v[0]), max
    yield 'only the first sector', only(True), max
    yield 'all but the first sector', only(False), max
    for _ in range(n):
        seed, share = chance.getrandbits(64), chance.choice((0.05, 0.5, 0.95))

        def choose(s, versions, seed=seed, share=share):
            # By its number and the seed: the same again for who repeats the cut.
            draw = hash((seed, s)) % 1000003 / 1000003
            if draw >= share:
                return versions[0]
            return versions[1 + hash((s, seed)) % (len(versions) - 1)]

        yield f'chance {seed} {share}', choose, (
            lambda lengths, seed=seed: lengths[seed % len(lengths)])
