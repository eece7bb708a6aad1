//! The form of a backup: lines of JSON.
//!
//! ```text
//!   {"format":"cuerda-records","version":2,"cluster":"cuerda","node":"a9993e36…","sum":"5994471a…"}
//!   {"key":"eac923ff…","fields":{"":{"stamp":"1700000000000.0@a9993e36…","value":"bGE="}},"sum":…}
//!   …
//!   {"end":true,"records":1,"sum":"b5bb9d80…"}
//! ```
//!
//! The first line says what it is, the last one that nothing is missing. A field has the stamp
//! of its write, `replaces` (the stamp that its writer found), the `value` in base64, absent for
//! a deletion, and `expires_ms` if it ends. Nothing here talks to a node.
//!
//! `sum` is the SHA-256 of the line up to its comma, behind the sum of the line before: so each
//! stands for all that comes before it, and the last one for the whole. What was changed, left out
//! or put elsewhere shows in the first line that it concerns.

use std::io::{self, BufRead, Read, Write};

use cuerda::http::control::PortableRecord;
use cuerda::ring::Id;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The longest line that is read: what a node takes, and the sum.
const LINE_BYTES: u64 = (cuerda::http::limits::LINE_BYTES + 1024) as u64;
const FORMAT: &str = "cuerda-records";
const VERSION: u32 = 2;
/// What stands before a line's sum, and behind it.
const BEFORE_SUM: &str = ",\"sum\":\"";
const BEHIND_SUM: &str = "\"}";

/// The sum of the line that was written or read last; nothing before the first.
#[derive(Debug, Default)]
struct Chain(String);

impl Chain {
    /// The sum of the next line, which says this.
    fn next(&mut self, text: &str) -> &str {
        let sum = Sha256::new().chain_update(&self.0).chain_update(text);
        let digits = sum.finalize().into_iter().map(|byte| format!("{byte:02x}"));
        self.0 = digits.collect();
        &self.0
    }
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    format: String,
    version: u32,
    /// The cluster whose records they are.
    pub(crate) cluster: String,
    /// The node that held them.
    pub(crate) node: Id,
}

/// The last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    end: bool,
    records: u64,
}

impl Head {
    pub(crate) fn new(cluster: &str, node: Id) -> Head {
        Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            cluster: cluster.to_owned(),
            node,
        }
    }
}

/// Writes a backup.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    to: W,
    records: u64,
    chain: Chain,
}

impl<W: Write> Writer<W> {
    pub(crate) fn begin(to: W, head: &Head) -> io::Result<Writer<W>> {
        let mut writer = Writer {
            to,
            records: 0,
            chain: Chain::default(),
        };
        writer.line(head)?;
        Ok(writer)
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        // All lines are objects with something in them: the sum is one more member.
        text.pop();
        let sum = self.chain.next(&text);
        writeln!(self.to, "{text}{BEFORE_SUM}{sum}{BEHIND_SUM}")
    }

    pub(crate) fn record(&mut self, record: &PortableRecord) -> io::Result<()> {
        self.records += 1;
        self.line(record)
    }

    /// How many records it has, and where they went.
    pub(crate) fn end(mut self) -> io::Result<(u64, W)> {
        let records = self.records;
        self.line(&End { end: true, records })?;
        self.to.flush()?;
        Ok((records, self.to))
    }
}

/// Why a file is no backup.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("can't read it: {0}")]
    Unreadable(#[from] io::Error),
    #[error("line {0} is {1}")]
    Line(u64, String),
    #[error("it ends after {0} records without saying so: the rest is missing")]
    Cut(u64),
}

/// Reads a backup.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    from: R,
    line: u64,
    records: u64,
    done: bool,
    chain: Chain,
}

impl<R: BufRead> Reader<R> {
    pub(crate) fn begin(from: R) -> Result<(Head, Reader<R>), Broken> {
        let mut reader = Reader {
            from,
            line: 0,
            records: 0,
            done: false,
            chain: Chain::default(),
        };
        let line = reader.next_line()?.ok_or(Broken::Cut(0))?;
        let head: Head = serde_json::from_str(&line)
            .ok()
            .filter(|head: &Head| head.format == FORMAT)
            .ok_or_else(|| reader.wrong("not the head of a backup"))?;
        if head.version != VERSION {
            let words = format!(
                "of version {}, and this release reads {VERSION}",
                head.version
            );
            return Err(reader.wrong(&words));
        }
        reader.unchanged(&line)?;
        Ok((head, reader))
    }

    fn wrong(&self, what: &str) -> Broken {
        Broken::Line(self.line, what.to_owned())
    }

    fn next_line(&mut self) -> Result<Option<String>, Broken> {
        self.line += 1;
        let mut bytes = Vec::new();
        let mut some = self.from.by_ref().take(LINE_BYTES);
        some.read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.pop_if(|last| *last == b'\n').is_none() {
            // Cut off within the line, or longer than any record.
            return match bytes.len() as u64 {
                LINE_BYTES => Err(self.wrong("longer than any record")),
                _ => Err(Broken::Cut(self.records)),
            };
        }
        let text = String::from_utf8(bytes).map_err(|_| self.wrong("no text"))?;
        Ok(Some(text))
    }

    /// What a line says besides its sum, which must be that of what was written there.
    fn unchanged(&mut self, line: &str) -> Result<String, Broken> {
        let said = line.strip_suffix(BEHIND_SUM);
        let said = said.and_then(|said| said.rsplit_once(BEFORE_SUM));
        let (text, sum) = said.ok_or_else(|| self.wrong("without its checksum"))?;
        if self.chain.next(text) != sum {
            return Err(self.wrong(
                "not the one that was written there: it was changed, or lines before it are \
                 missing, and its checksum is another",
            ));
        }
        Ok(format!("{text}}}"))
    }

    /// The next record; `None` after the last one.
    pub(crate) fn record(&mut self) -> Result<Option<PortableRecord>, Broken> {
        if self.done {
            return Ok(None);
        }
        let line = self.next_line()?.ok_or(Broken::Cut(self.records))?;
        let line = self.unchanged(&line)?;
        if let Ok(End { end: true, records }) = serde_json::from_str(&line) {
            if records != self.records {
                let words = format!("the end of {records} records after {}", self.records);
                return Err(self.wrong(&words));
            }
            if self.next_line()?.is_some() {
                return Err(self.wrong("behind the end"));
            }
            self.done = true;
            return Ok(None);
        }
        let record: PortableRecord = serde_json::from_str(&line)
            .map_err(|error| self.wrong(&format!("no record: {error}")))?;
        self.records += 1;
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::tests::peer;
    use super::*;
    use cuerda::record::{Field, Record, Stamp};

    fn backup(records: u8) -> Vec<u8> {
        let head = Head::new("cuerda", peer(10).id);
        let mut writer = Writer::begin(Vec::new(), &head).expect("memory takes all");
        for number in 0..records {
            let field = Field::new(Stamp::ZERO, None, vec![number], None);
            let record = PortableRecord::new(peer(number).id, &Record::of("", field));
            writer.record(&record).expect("memory takes all");
        }
        writer.end().expect("memory takes all").1
    }

    fn read(bytes: &[u8]) -> Result<usize, Broken> {
        let (_, mut reader) = Reader::begin(bytes)?;
        let mut count = 0;
        while reader.record()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn what_is_written_is_read_and_a_cut_is_noticed_wherever_it_is() {
        let whole = backup(3);
        assert_eq!(read(&whole).ok(), Some(3));
        for length in 0..whole.len() {
            let error = read(&whole[..length]).expect_err("something is missing");
            assert!(matches!(error, Broken::Cut(_)), "{length}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let text = String::from_utf8(backup(2)).expect("JSON is text");
        let told = |from: &str, to: &str| {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            let error = read(changed.as_bytes()).expect_err("it is wrong");
            error.to_string()
        };
        let all = [
            told("cuerda-records", "songs"),
            told("\"version\":2", "\"version\":1"),
            told("\"cluster\":\"cuerda\"", "\"cluster\":\"strings\""),
            told("AA==", "AB=="),
            told("AQ==", "AA=="),
            told("\"records\":2", "\"records\":3"),
            told("\"sum\"", "\"sun\""),
            told("{\"end\"", "\n{\"end\""),
            read(&[text.as_bytes(), b"\n"].concat())
                .expect_err("more")
                .to_string(),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn whichever_byte_is_changed_and_whichever_line_is_missing_it_is_refused_with_its_line() {
        let whole = backup(3);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            let line = whole[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            let error = read(&changed).expect_err("it was changed");
            let named = match error {
                Broken::Line(named, _) => named,
                // The end of the last line is gone.
                Broken::Cut(_) => 5,
                Broken::Unreadable(error) => panic!("memory can be read: {error}"),
            };
            assert_eq!(named, line, "byte {at}");
        }
        let text = String::from_utf8(whole).expect("JSON is text");
        let lines: Vec<&str> = text.lines().collect();
        for missing in 1..4 {
            let mut fewer = lines.clone();
            fewer.remove(missing);
            let error = read((fewer.join("\n") + "\n").as_bytes()).expect_err("one is missing");
            assert!(
                matches!(error, Broken::Line(line, _) if line == missing as u64 + 1),
                "{missing}: {error}"
            );
        }
        let mut others = lines.clone();
        others.swap(1, 2);
        let error = read((others.join("\n") + "\n").as_bytes()).expect_err("two are swapped");
        assert!(matches!(error, Broken::Line(2, _)), "{error}");
    }

    #[test]
    fn it_looks_as_documented() {
        insta::assert_snapshot!(String::from_utf8(backup(1)).expect("JSON is text"));
    }
}
