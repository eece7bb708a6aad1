//! The `containers` world: the deployed program in Docker, on real networks and in real time. That
//! program runs Chord's nodes, so this world plays no other protocol.
//!
//! The same script plays the scenario as in the other worlds, and the same checkers watch; they
//! are fed by what the nodes tell on their standard output (`--events all`) and by what clients
//! see of the control interface.
//!
//! ```text
//!   mod.rs        the world: time, and what is told when
//!   machines.rs   what the script does to it
//!   engine.rs     the docker command, and what it leaves
//!   container.rs  one container's life
//!   layout.rs     two networks and the router between them
//!   netfilter.rs  cuts and loss
//!   delay.rs      slow links, by a queue
//!   namespace.rs  where these two are made
//!   start.rs      how the ring comes about
//!   clients.rs    reads, writes, look-ups
//!   stream.rs     what nodes tell
//!   totals.rs     what nodes have counted
//! ```
//!
//! # Time
//!
//! The world's clock is the host's, which all containers share, some time behind: what a node told
//! takes a moment to arrive, and may arrive after what another node told later. So all that comes
//! in waits for a moment (`BEHIND`), and is passed on in the order of the times at which it was
//! told. What the scenario does is done when everything up to its time has been passed on.
//!
//! # What can't be done here
//!
//! Real time can't be hurried, and chance can't be repeated: a seed decides what the scenario does
//! and to whom, but not how messages travel. `[network]` says nothing here; the network is as it
//! is. Clocks and disks can't be put out of order, and connections not be reset after so many bytes
//! (the scenario is refused). `start = "ideal"` means that the nodes join before t = 0.

mod clients;
mod container;
#[cfg(target_os = "linux")]
mod delay;
#[cfg(not(target_os = "linux"))]
#[path = "no_delay.rs"]
mod delay;
mod engine;
mod layout;
mod machines;
mod namespace;
mod netfilter;
mod start;
mod stream;
mod totals;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cuerda_core::chord::{Config, Event, Node};
use cuerda_core::protocol::{AccessError, Fetched, LookupError, OwnerFound, Written};
use cuerda_core::record::Stamp;
use cuerda_core::ring::{Id, Neighbours};

use super::script::{self, Script};
use super::{Cause, Digest, Moment, Random, RandomStream, Time, Unheard, Watcher};
use crate::scenario::{Scenario, Start};
use container::Container;
use engine::Engine;
use layout::Layout;
use netfilter::Netfilter;
use stream::Line;
use totals::Totals;

pub use engine::{Trouble, ready};

/// How far the world's time is behind the clock, in nanoseconds.
const BEHIND: Time = 400_000_000;

/// How long nothing is looked at while time passes.
const GLANCE: Duration = Duration::from_millis(20);

/// How long to wait for what nodes have still to report (that a write acknowledged to a client is
/// on their disks, or the end of a killed node's log), and how often to look.
const HEARSAY: Time = 5_000_000_000;
const AGAIN: Time = 50_000_000;

/// How long a client's question may be under way.
const PATIENCE: Time = 15_000_000_000;

/// Set when the user wants the run to end.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Worlds of this process that have something to take away.
static ALIVE: AtomicU32 = AtomicU32::new(0);

/// Tells the worlds of this process to stop, and to take away what they have made; they do so soon.
/// False if there is none.
pub fn interrupt() -> bool {
    INTERRUPTED.store(true, Ordering::Relaxed);
    ALIVE.load(Ordering::Relaxed) > 0
}

/// A world at a moment.
pub struct World {
    script: Script,
    config: Arc<Config>,
    clock: Clock,
    machines: Vec<Machine>,
    netfilter: Netfilter,
    layout: Layout,
    /// Keys of machines that lost theirs.
    keys: Random,
    now: Time,
    /// What the scenario does when; of those due at one time, the one put first comes first.
    agenda: BTreeMap<(Time, u64), u32>,
    put: u64,
    sender: Sender<Told>,
    receiver: Receiver<Told>,
    /// What has come in and is not passed on yet, by when it was told.
    waiting: BTreeMap<(Time, u64), Told>,
    arrived: u64,
    /// What came in when it should have been passed on already.
    late: u64,
    /// What clients wait for, by a number that is never used again.
    asked: BTreeMap<u64, Asked>,
    questions: u64,
    /// The stamps that nodes have on their disks, by the node and the key.
    stored: BTreeMap<(Id, Id), Stamp>,
    totals: Totals,
    before: totals::Counted,
    poll: Arc<Mutex<Vec<totals::Place>>>,
    digest: Digest,
    handled: u64,
    notes: Vec<String>,
    broken: Option<String>,
    engine: Arc<Engine>,
    _sweeper: Sweeper,
}

/// Nothing is started any more; only then is everything taken away.
impl Drop for World {
    fn drop(&mut self) {
        for machine in &self.machines {
            if let Some(container) = &machine.container {
                container.close();
            }
        }
    }
}

/// Dropped, it takes away what the engine has made. The lives of containers hold the engine too,
/// and end only then.
struct Sweeper(Arc<Engine>);

impl Sweeper {
    fn of(engine: &Arc<Engine>) -> Sweeper {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Sweeper(Arc::clone(engine))
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.0.sweep();
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A question of a client.
#[derive(Clone, Copy)]
struct Asked {
    /// Whom it asked, and at which of its starts.
    number: u32,
    epoch: u32,
    /// The script's name for it.
    token: u64,
    key: Id,
}

/// A machine: a volume, an address, and the container that runs there now.
struct Machine {
    /// The neighbours of its node, as far as it has told.
    neighbours: Neighbours,
    /// Whether it has told any since it was last started.
    member: bool,
    /// The secret half of its key.
    key: [u8; 32],
    /// Counts the disks it has had.
    disk: u32,
    /// The first of its starts that had this disk.
    disk_since: u32,
    /// As the script sees it.
    up: bool,
    /// Counts its starts.
    epoch: u32,
    /// How many faults pause it.
    paused: u32,
    /// It has told something since it was added.
    told: bool,
    stage: Stage,
    /// When it was last killed.
    killed: Option<Time>,
    container: Option<Container>,
}

/// What the container of a machine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It is being made and started.
    Starting,
    Running,
    /// It has said good-bye, or is being killed: that its process ends is no failure.
    Ending,
    /// It tells nothing any more.
    Ended,
}

/// Something that happened outside, and when.
struct Told {
    /// In the world's time.
    at: Time,
    number: u32,
    epoch: u32,
    what: What,
}

enum What {
    /// A node told this.
    Line(Box<Line>),
    /// The container runs; its process has this number on the host.
    Runs(i32),
    /// The container has ended; why, as far as its log says.
    Ended(String),
    /// What it told could not be heard.
    Unheard(String),
    /// The container could not be started.
    Failed(Trouble),
    /// What its nodes have counted so far.
    Counted(totals::Counted),
    LookedUp(u64, Result<OwnerFound, LookupError>, u32),
    Wrote(u64, Result<Written, AccessError>),
    Read(u64, Box<Result<Fetched, AccessError>>),
}

/// Real time, as the world counts it.
#[derive(Clone, Copy, Debug)]
struct Clock {
    began: Instant,
    /// Microseconds since 1970 at that moment.
    epoch_us: u64,
}

#[expect(
    clippy::disallowed_methods,
    reason = "this world goes in real time, and its nodes tell theirs"
)]
impl Clock {
    fn start() -> Clock {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Clock {
            began: Instant::now(),
            epoch_us: u64::try_from(since.as_micros()).unwrap_or(u64::MAX),
        }
    }

    /// Now.
    fn real(&self) -> Time {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The time that a node calls so many microseconds since 1970.
    const fn of(&self, us: u64) -> Time {
        us.saturating_sub(self.epoch_us).saturating_mul(1000)
    }
}

impl World {
    /// A world as the scenario describes it, at t = 0: its containers run and form a ring.
    ///
    /// What it makes carries labels, and is taken away when the world is dropped. What worlds of
    /// processes left behind that are gone is taken away now.
    ///
    /// # Errors
    /// If the engine does not answer, has no image, or can't make what is needed; or if the nodes
    /// form no ring in time.
    pub fn new(scenario: &Arc<Scenario>, seed: u64) -> Result<World, Trouble> {
        let mut played = Scenario::clone(scenario);
        let mut notes = vec![
            "in real time on a real network: another run of this seed does the same things to the \
             same nodes, and ends as it ends"
                .to_owned(),
        ];
        if played.start == Start::Ideal {
            played.start = Start::Join;
            notes.push(
                "`start = \"ideal\"`: the nodes joined one after another before t = 0".to_owned(),
            );
        }
        notes.push("`[network]` is not made: latency and loss are the network's own".to_owned());
        let played = Arc::new(played);
        let engine = Arc::new(Engine::start()?);
        let sweeper = Sweeper::of(&engine);
        let layout = Layout::make(&engine)?;
        let (sender, receiver) = channel();
        let netfilter = Netfilter::new(&layout)?;
        let mut world = World {
            script: Script::new(&played, seed),
            config: Arc::new(played.node.clone()),
            clock: Clock::start(),
            machines: Vec::new(),
            netfilter,
            layout,
            keys: Random::new(seed, RandomStream::Keys),
            now: 0,
            agenda: BTreeMap::new(),
            put: 0,
            sender,
            receiver,
            waiting: BTreeMap::new(),
            arrived: 0,
            late: 0,
            asked: BTreeMap::new(),
            questions: 0,
            stored: BTreeMap::new(),
            totals: Totals::default(),
            before: totals::Counted::default(),
            poll: Arc::default(),
            digest: Digest::new(),
            handled: 0,
            notes,
            broken: None,
            engine,
            _sweeper: sweeper,
        };
        totals::watch(&world);
        start::start(&mut world)?;
        world.script.origin = world.now;
        world.before = world.totals.sum();
        world.handled = 0;
        script::plan(&mut world);
        Ok(world)
    }

    /// Waits until the clock shows this, and takes in what comes meanwhile.
    fn wait_until(&mut self, real: Time) {
        while self.broken.is_none() {
            if INTERRUPTED.load(Ordering::Relaxed) {
                return self.breaks(Trouble::Interrupted.to_string());
            }
            let left = Duration::from_nanos(real.saturating_sub(self.clock.real()));
            if left.is_zero() {
                while let Ok(told) = self.receiver.try_recv() {
                    self.take(told);
                }
                return;
            }
            match self.receiver.recv_timeout(left.min(GLANCE)) {
                Ok(told) => self.take(told),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// What need not be passed on in order is done at once; all else waits.
    fn take(&mut self, told: Told) {
        let Told {
            at,
            number,
            epoch,
            what,
        } = told;
        let is_current = self.machines[number as usize].epoch == epoch;
        match what {
            What::Runs(process) if is_current => self.runs(number, process),
            What::Unheard(why) => self.breaks(format!("n{number} can't be heard: {why}")),
            What::Failed(trouble) => self.breaks(trouble.to_string()),
            What::Counted(counted) => self.totals.add(number, epoch, counted),
            what => {
                if is_current && matches!(what, What::Ended(_)) {
                    self.ended(number);
                }
                self.late += u64::from(at < self.now);
                self.arrived += 1;
                let told = Told {
                    at,
                    number,
                    epoch,
                    what,
                };
                self.waiting.insert((at, self.arrived), told);
            }
        }
    }

    /// Passes on what was told up to this time.
    fn tell_until(&mut self, time: Time, watcher: &mut impl Watcher<Node>) {
        while self.broken.is_none()
            && let Some(entry) = self.waiting.first_entry()
            && entry.key().0 <= time
        {
            let ((at, _), told) = entry.remove_entry();
            // What came too late to be passed on in its order is passed on now.
            self.now = self.now.max(at);
            self.hear(told, watcher);
        }
        self.now = self.now.max(time);
    }

    /// Does what is due by now.
    fn act(&mut self, watcher: &mut impl Watcher<Node>) {
        while self.broken.is_none()
            && let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= self.now
        {
            let ((due, _), place) = entry.remove_entry();
            self.handled += 1;
            let script = &self.script;
            watcher.handling(self.handled, self.now, &|| script.describe(place));
            script::control(self, place, due, watcher);
        }
    }

    fn hear(&mut self, told: Told, watcher: &mut impl Watcher<Node>) {
        if let What::Wrote(question, Ok(written)) = &told.what
            && let Some(asked) = self.asked.get(question).copied()
        {
            let unheard = self.unheard(asked, written);
            let machine = &self.machines[asked.number as usize];
            let waits = machine.stage == Stage::Running && self.now < told.at + HEARSAY;
            if waits && !unheard.is_empty() {
                self.arrived += 1;
                self.waiting.insert((self.now + AGAIN, self.arrived), told);
                return;
            }
            self.tell_unheard(asked, written, &unheard, told.at, watcher);
        }
        let Told {
            number,
            epoch,
            what,
            ..
        } = told;
        self.handled += 1;
        self.digest.add(self.now, u64::from(number));
        let at = Moment {
            now: self.now,
            cause: Cause::Timer {
                node: number,
                kind: "of its own",
            },
        };
        let is_current = self.machines[number as usize].epoch == epoch;
        match what {
            What::Line(line) => {
                watcher.handling(self.handled, self.now, &|| format!("n{number}: {line:?}"));
                self.line(*line, number, epoch, at, watcher);
            }
            What::Ended(why) => {
                let machine = &mut self.machines[number as usize];
                if is_current && machine.up && machine.stage == Stage::Running {
                    self.breaks(format!(
                        "the program on n{number} ended, and nobody told it to: {why}"
                    ));
                }
            }
            What::LookedUp(question, result, timeouts) => {
                if let Some(token) = self.answered(question) {
                    let result = result.map(|found| OwnerFound {
                        owner: self.known(found.owner),
                        ..found
                    });
                    let event = Event::Lookup {
                        token,
                        result,
                        timeouts,
                    };
                    script::pass_on(self, number, event, at, watcher);
                }
            }
            What::Wrote(question, result) => {
                if let Some(token) = self.answered(question) {
                    let event = Event::Written { token, result };
                    script::pass_on(self, number, event, at, watcher);
                }
            }
            What::Read(question, result) => {
                if let Some(token) = self.answered(question) {
                    let event = Event::Read {
                        token,
                        result: *result,
                    };
                    script::pass_on(self, number, event, at, watcher);
                }
            }
            What::Runs(_) | What::Failed(_) | What::Counted(_) | What::Unheard(_) => {}
        }
    }

    /// The script's token of a question, if whoever was asked has not been stopped since.
    fn answered(&mut self, question: u64) -> Option<u64> {
        let asked = self.asked.remove(&question)?;
        let machine = &self.machines[asked.number as usize];
        (machine.up && machine.epoch == asked.epoch).then_some(asked.token)
    }

    /// On whose disks a write is told to be of whom nobody has heard that it is. What their nodes
    /// tell may take longer to come than the answer to the client.
    fn unheard(&self, asked: Asked, written: &Written) -> Vec<Id> {
        let is_heard = |holder: &Id| {
            let stored = self.stored.get(&(*holder, asked.key));
            stored.is_some_and(|stamp| *stamp >= written.stamp)
        };
        let holders = written.holders.iter().copied();
        holders.filter(|holder| !is_heard(holder)).collect()
    }

    /// Who is killed right after it stored something may not have come to telling it. The client
    /// was told, so it is there.
    fn tell_unheard(
        &self,
        asked: Asked,
        written: &Written,
        unheard: &[Id],
        at: Time,
        watcher: &mut impl Watcher<Node>,
    ) {
        for (number, machine) in (0..).zip(&self.machines) {
            let id = machine.neighbours.me().id;
            let killed = machine.killed.filter(|killed| killed + PATIENCE >= at);
            let Some(killed) = killed.filter(|_| unheard.contains(&id)) else {
                continue;
            };
            let at = Moment {
                now: self.now,
                cause: Cause::Timer {
                    node: number,
                    kind: "of its own",
                },
            };
            let copy = Unheard {
                number,
                id,
                key: asked.key,
                stamp: written.stamp,
                killed,
            };
            watcher.unheard(at, &copy);
        }
    }

    /// The world can't go on. The first reason counts.
    fn breaks(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }
}

/// Does something that waits for the outside, while the world goes on.
fn beside(act: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "engines and nodes are waited for beside the world's own thread"
    )]
    std::thread::spawn(act)
}
