//! Work that several processes share: which part is this process's, and where it records what came
//! of it. `sweep` and `explore` have the same options for it.

use std::path::PathBuf;

use super::record::{self, Plan, Record};
use super::seeds::Shard;
use super::{Exit, Failure};

/// The options.
#[derive(Debug, clap::Args)]
pub(crate) struct Parts {
    /// Do only the I-th of N parts, from 0; auto/N takes I from the job engine
    #[arg(long, value_name = "I/N", requires = "record")]
    shard: Option<String>,
    /// Write what comes of it to this file, for `merge` and --resume; in a folder, to I-of-N.jsonl
    #[arg(long, value_name = "PATH")]
    record: Option<PathBuf>,
    /// Go on with the record of one that was stopped
    #[arg(long, requires = "record")]
    resume: bool,
    /// End with 0 once all is recorded: whether it holds is for `merge` to say
    #[arg(long, requires = "record")]
    verdict_later: bool,
}

impl Parts {
    /// Which part is this process's.
    ///
    /// # Errors
    /// If that can't be told.
    pub(crate) fn shard(&self) -> Result<Shard, Failure> {
        let Some(text) = &self.shard else {
            return Ok(Shard::ALL);
        };
        Shard::read(text, |name| std::env::var(name).ok())
            .map_err(|why| Failure::Other(format!("--shard {text}: {why}")))
    }

    /// Begins the record, if there is to be one; with what an earlier process has recorded.
    ///
    /// # Errors
    /// As for [`Record::begin`].
    pub(crate) fn begin<P: Plan>(
        &self,
        plan: &P,
        shard: Shard,
    ) -> Result<(Option<Record>, Vec<P::Line>), Failure> {
        let Some(path) = &self.record else {
            return Ok((None, Vec::new()));
        };
        let path = record::at(path, &shard.name());
        let (record, before) = Record::begin(&path, plan, self.resume)?;
        Ok((Some(record), before))
    }

    /// Whether this process does all of it.
    pub(crate) const fn is_all(&self) -> bool {
        self.shard.is_none()
    }

    /// How the command ends that would end so if nobody else had a part in it. To a job engine any
    /// other code than 0 is a task that died, and is begun again.
    pub(crate) fn exit(&self, exit: Exit) -> Exit {
        match exit {
            Exit::NotHeld if self.verdict_later => Exit::Held,
            other => other,
        }
    }
}
