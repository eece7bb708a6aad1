//! Playing any protocol, with watchers and checks of one's own.

use std::sync::Arc;
use std::time::Duration;

use super::judge::{Enough, Others};
use super::{Listener, Progress, perform_in};
use crate::check::judged::{Check, Judged};
use crate::report::{Report, Verdict, judge, metrics};
use crate::scenario::{self, Diagnostic, Overrides, Scenario};
use crate::world::{Watcher, World, events, nanoseconds};

/// How a scenario is to be played: with nodes that speak `P`, and with whoever watches and checks
/// beside what is built in.
///
/// ```
/// use cuerda_core::chord::Node;
/// use cuerda_sim::report::Verdict;
/// use cuerda_sim::run::{Play, play_with, read};
///
/// let text = r#"
/// title = "Twenty nodes, left alone"
/// duration = "1m"
/// [ring]
/// nodes = 20
/// "#;
/// let scenario = read("quiet.toml", text).unwrap();
/// let report = play_with(&scenario, Play::<Node>::of(scenario.node.clone()));
/// assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.violations);
/// ```
pub struct Play<'a, P: Judged> {
    config: Arc<P::Config>,
    others: Others<'a, P>,
    progress: Option<&'a mut dyn FnMut(&Progress)>,
}

impl<'a, P: Judged> Play<'a, P> {
    /// Nodes with these settings.
    #[must_use]
    pub fn of(config: P::Config) -> Play<'a, P> {
        Play {
            config: Arc::new(config),
            others: Others {
                enough: None,
                checks: Vec::new(),
                watchers: Vec::new(),
                listener: None,
            },
            progress: None,
        }
    }

    /// With this check, whose findings are violations in the report.
    #[must_use]
    pub fn check(mut self, check: &'a mut dyn Check<P>) -> Play<'a, P> {
        self.others.checks.push(check);
        self
    }

    /// With this watcher, which judges nothing.
    #[must_use]
    pub fn watch(mut self, watcher: &'a mut dyn Watcher<P>) -> Play<'a, P> {
        self.others.watchers.push(watcher);
        self
    }

    /// With a listener to each event.
    #[must_use]
    pub fn listen(mut self, listener: &'a mut Listener<'a>) -> Play<'a, P> {
        self.others.listener = Some(listener);
        self
    }

    /// Only until this check is violated, and for so long at least: the report is one of a run
    /// that ended there, without a quiet phase.
    #[must_use]
    pub(crate) fn enough(mut self, check: &'a str, after: Duration) -> Play<'a, P> {
        let after = nanoseconds(after);
        self.others.enough = Some(Enough { check, after });
        self
    }

    /// With somebody who is told about ten times in a second of real time how far the run is.
    #[must_use]
    pub fn progress(mut self, progress: &'a mut dyn FnMut(&Progress)) -> Play<'a, P> {
        self.progress = Some(progress);
        self
    }
}

/// The scenario that a text describes; `name` is how it is called, its file's name as a rule.
///
/// # Errors
/// What is wrong with it, where that stands, and what would be right.
pub fn read(name: &str, text: &str) -> Result<Scenario, Diagnostic> {
    Scenario::parse(name, text, &metrics(), &Overrides::default())
}

/// Plays a scenario to its end in the `events` world, and judges it by the built-in checks, those
/// of [`Play::check`], and the scenario's expectations.
///
/// The keys of the scenario's `[node]` section are Chord's, and concern the harness alone where
/// `P` is another protocol: how long a period is, and how many replicas a record should have.
///
/// # Panics
/// If the scenario is for another world: make that one, as by `turmoil::World::with`, and use
/// [`play_in_with`]. If it has no node, or more than fit.
#[must_use]
pub fn play_with<P: Judged>(scenario: &Scenario, play: Play<'_, P>) -> Report {
    assert!(
        scenario.world == scenario::World::Events,
        "the scenario is for another world than `events`"
    );
    let scenario = Arc::new(scenario.clone());
    let mut world = events::World::with(&scenario, scenario.seed, Arc::clone(&play.config));
    play_in_with(&mut world, &scenario, play)
}

/// The same in a world that was made of the scenario, which is left as it is at the end; the
/// settings of its nodes are those that it was made with.
#[must_use]
pub fn play_in_with<W: World>(
    world: &mut W,
    scenario: &Scenario,
    play: Play<'_, W::Protocol>,
) -> Report
where
    W::Protocol: Judged,
{
    let mut nobody = |_: &Progress| ();
    let progress = play.progress.unwrap_or(&mut nobody);
    let mut report = perform_in(world, scenario, progress, play.others, None);
    // The checks have judged already, those of others too; expectations come on top.
    let failed = report.verdict == Verdict::Fail;
    judge(&mut report, &scenario.expectations);
    if failed {
        report.verdict = Verdict::Fail;
    }
    report
}
