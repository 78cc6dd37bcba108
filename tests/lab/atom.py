"""Documents of Atom, as three that are not ours understand them: xmllint by a grammar (atom.rng: RFC
4287 as we read it), Ruby's rss, which judges documents by RFC 4287 as its authors read it, and
feedparser, which is what readers of feeds stand on.

    atom = Atom()
    feed = atom.read(folder)       feed.atom, valid; what feedparser makes of it
"""
import glob
import os
import re
import subprocess
import sys

from . import packages

GRAMMAR = os.path.join(packages.TOP, 'tests', 'lab', 'atom.rng')
VALIDATE = '''
require 'rss'
begin
  # It knows nothing of RFC 5005; RFC 4287 section 6 allows what it does not know.
  feed = RSS::Parser.parse(File.read(ARGV[0]).sub('<fh:archive/>', ''), true, false)
  abort('no feed of Atom') unless feed.is_a?(RSS::Atom::Feed)
  puts feed.entries.map { |entry| entry.id.content }
rescue RSS::Error, REXML::ParseException => e
  abort(e.message)
end
'''


class Invalid(Exception):
    """Somebody finds a fault in a document."""


class Atom:
    def __init__(self):
        package = packages.Package('feedparser').need()
        sys.path.append(package.path('usr/lib/python3/dist-packages'))
        import feedparser  # pylint: disable=import-outside-toplevel,import-error
        self.feedparser = feedparser
        self.ruby = packages.Package('ruby').need()

    def by_grammar(self, path):
        done = subprocess.run(['xmllint', '--nonet', '--noout', '--relaxng', GRAMMAR, path],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Invalid(f'xmllint: {done.stderr}')

    def by_ruby(self, path):
        """Returns the ids of the entries."""
        lib = self.ruby.path('usr/lib')
        folders = [folder for pattern in ('ruby/3.*', '*-linux-gnu/ruby/3.*', 'ruby/gems/*/gems/rss-*/lib',
                                          'ruby/gems/*/gems/rexml-*/lib')
                   for folder in glob.glob(os.path.join(lib, pattern))]
        done = subprocess.run(
            [self.ruby.path('usr/bin/ruby3.1'), '--disable-gems', '-e', VALIDATE, path],
            env=self.ruby.env(RUBYLIB=':'.join(folders)), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Invalid(f'Ruby\'s rss: {done.stderr}')
        return done.stdout.split()

    def by_feedparser(self, path):
        with open(path, 'rb') as f:
            feed = self.feedparser.parse(f.read())
        if feed.bozo or feed.version != 'atom10':
            raise Invalid(f'feedparser: {feed.get("bozo_exception")}')
        return feed

    def read(self, folder, name='feed.atom'):
        path = os.path.join(folder, name)
        self.by_grammar(path)
        ids = self.by_ruby(path)
        feed = self.by_feedparser(path)
        if [e.id for e in feed.entries] != ids:
            raise Invalid(f'{path}: Ruby\'s rss and feedparser find other entries')
        return feed


def titles(folder):
    """Of a folder that is being written to, without any judgement: (id, title) of each entry."""
    found = []
    for path in sorted(glob.glob(os.path.join(folder, '*.atom'))):
        with open(path, encoding='utf-8') as f:
            found += re.findall(r'<entry>.*?<id>(.*?)</id>.*?<title>(.*?)</title>', f.read(), re.S)
    return found
