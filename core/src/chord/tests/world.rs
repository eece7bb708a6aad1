//! Where the tests' nodes live: a [`World`] of a few that reach each other in a fixed time, and
//! a [`Bench`] for one that hears only what the test says.
//!
//! Time is a number here, and jitter a hash of a counter, so that every run is the same.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::chord::{
    Config, Event, Hello, Ignored, Input, LookupError, Message, Node, Origin, Protocol, Recorder,
    Reply, Request, RequestId, Timer,
};
use crate::ring::test_peers::{peer, peers};
use crate::ring::{Fingers, Id, Neighbours, Peer, SuccessorList};
use crate::store::{MemoryStore, Store};

/// The time from one node to another.
pub(super) const LATENCY: Duration = Duration::from_millis(10);
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// The wall clock when a test begins.
pub(super) const EPOCH: u64 = 1_700_000_000_000;
/// A period in which nothing periodic happens.
pub(super) const NEVER: Duration = Duration::from_secs(1_000_000);

/// Settings for short tests with `successors` of them.
pub(super) fn config(successors: u8) -> Config {
    Config {
        successors,
        replicas: 1,
        stabilize_every: SECOND,
        fix_fingers_every: SECOND,
        request_timeout: Duration::from_millis(100),
        found_after: SECOND * 5,
        ..Config::default()
    }
}

/// The place of a test's peer, the other way round than [`peer`].
pub(super) fn place(peer: Peer) -> u8 {
    (peer.id.high() >> 56) as u8
}

pub(super) fn list(me: u8, places: &[u8]) -> SuccessorList {
    let (head, rest) = places.split_first().expect("at least one");
    SuccessorList::following(peer(me).id, peer(*head), &peers(rest), 64)
}

/// What has to hold for a node after every input, whatever the input was.
pub(super) fn assert_sound(node: &Node) {
    let (me, list) = (node.me(), node.neighbours().successors());
    let config = node.config();
    assert!(list.len() <= usize::from(config.successors), "{node:?}");
    let mut last = me.id;
    for next in list.iter() {
        assert!(next.id.is_between(last, me.id), "disordered: {node:?}");
        last = next.id;
    }
    let mut remembered: Vec<Id> = node.remembered().map(|peer| peer.id).collect();
    assert!(remembered.len() <= usize::from(config.remembered));
    assert!(!remembered.contains(&me.id));
    remembered.sort();
    remembered.dedup();
    assert_eq!(remembered.len(), node.remembered().count());
    for finger in node.fingers().entries() {
        assert_ne!(finger.peer.id, me.id);
    }
    // Shown and read, a thousand operations after each of a thousand inputs take their time.
    if node.requests.open().len() <= 64 {
        assert_entered(node);
    }
}

/// The table says that something waits under exactly those numbers under which an operation does.
pub(super) fn assert_entered(node: &Node) {
    let table: Vec<u32> = node.requests.open().into_keys().collect();
    assert_eq!(table, waits_of(node), "the table says otherwise: {node:?}");
}

/// The numbers under which the operations of a node wait, in order. Each shows the questions and
/// pauses that it has; so none can be forgotten here.
fn waits_of(node: &Node) -> Vec<u32> {
    let shown = format!("{node:?}");
    let questions = shown.split("Question { to: ").skip(1);
    let pauses = shown.split("Pause { ").skip(1);
    let number_in = |part: &str| {
        let (_, rest) = part.split_once("number: ").expect("each has a number");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().expect("a number is shown as digits")
    };
    let mut waits: Vec<u32> = questions.chain(pauses).map(number_in).collect();
    // Zero: not yet asked.
    waits.retain(|number| *number != 0);
    waits.sort_unstable();
    waits
}

/// A few nodes, the messages between them, and their timers, in the order of virtual time.
pub(super) struct World {
    pub(super) now: Duration,
    pub(super) nodes: BTreeMap<u8, Node>,
    /// What every node told, and when.
    pub(super) told: Vec<(Duration, u8, Event)>,
    config: Config,
    queue: BTreeMap<(Duration, u64), Due>,
    posted: u64,
    /// What each node's disk has; it outlives the node.
    pub(super) stores: BTreeMap<u8, MemoryStore>,
    /// By how many milliseconds each node's wall clock is ahead.
    pub(super) skew: BTreeMap<u8, u64>,
    /// Those on one side of a cut; nothing passes between them and the others.
    side: Vec<u8>,
    /// Nothing passes between any two.
    silent: bool,
}

struct Due {
    to: u8,
    /// For a timer: it does not outlive the node that set it.
    incarnation: Option<u32>,
    input: Input,
}

impl World {
    pub(super) fn new(config: Config) -> World {
        config.validate().expect("settings in range");
        World {
            now: Duration::ZERO,
            nodes: BTreeMap::new(),
            told: Vec::new(),
            config,
            queue: BTreeMap::new(),
            posted: 0,
            stores: BTreeMap::new(),
            skew: BTreeMap::new(),
            side: Vec::new(),
            silent: false,
        }
    }

    /// A complete ring of these places, without fingers; its timers run.
    pub(super) fn ideal(config: Config, places: &[u8]) -> World {
        let mut world = World::new(config);
        for (at, &me) in places.iter().enumerate() {
            let others: Vec<u8> = places[at + 1..]
                .iter()
                .chain(&places[..at])
                .copied()
                .collect();
            let before = *others.last().unwrap_or(&me);
            let room = world.config.successors;
            let neighbours = Neighbours::given(peer(me), peer(before), &peers(&others), room);
            let config = world.config.clone().into();
            let node = Node::member(config, 1, neighbours, Fingers::new());
            world.nodes.insert(me, node);
        }
        for &place in places {
            world.input(place, Input::Resume);
        }
        world
    }

    /// A ring that grew: the first founds it, the others join one after the other.
    pub(super) fn grown(config: Config, places: &[u8]) -> World {
        let mut world = World::new(config);
        world.start(places[0], 1, Input::Found);
        for &place in &places[1..] {
            world.start(place, 1, Input::Join(peers(&places[..1])));
            world.run(SECOND);
        }
        world.run(SECOND * 20);
        world.assert_ideal(places);
        world
    }

    /// Starts a node with its first input.
    pub(super) fn start(&mut self, place: u8, incarnation: u32, first: Input) {
        let config = self.config.clone().into();
        self.start_with(Node::new(peer(place), config, incarnation), first);
    }

    pub(super) fn start_with(&mut self, node: Node, first: Input) {
        let place = place(node.me());
        self.nodes.insert(place, node);
        self.input(place, first);
    }

    /// Stops a node at once and without a word.
    pub(super) fn kill(&mut self, places: &[u8]) {
        for place in places {
            self.nodes.remove(place).expect("a live node");
        }
    }

    /// Nothing passes between these and the others any more; an empty list heals.
    pub(super) fn cut(&mut self, side: &[u8]) {
        self.side = side.to_vec();
    }

    /// Nothing passes between any two of them any more, or all of it again.
    pub(super) const fn cut_all(&mut self, silent: bool) {
        self.silent = silent;
    }

    /// Hands an input to a node, and takes what it wants of the world.
    pub(super) fn input(&mut self, to: u8, input: Input) {
        let Some(node) = self.nodes.get_mut(&to) else {
            return;
        };
        let mut net = Recorder {
            clock: EPOCH + self.now.as_millis() as u64 + self.skew.get(&to).copied().unwrap_or(0),
            store: self.stores.remove(&to).unwrap_or_default(),
            ..Recorder::default()
        };
        node.handle(input, &mut net);
        assert_sound(node);
        if let Some(batch) = net.store.seal() {
            net.store.committed(batch.number);
        }
        self.stores.insert(to, net.store);
        let (me, incarnation) = (node.me(), node.incarnation());
        for (receiver, message) in net.sent {
            let input = Input::Message {
                from: me,
                message,
                took: None,
            };
            self.post(
                LATENCY,
                Due {
                    to: place(receiver),
                    incarnation: None,
                    input,
                },
            );
        }
        for (timer, after) in net.timers {
            // Splitmix64: its own jitter for every timer.
            let mut random = (self.posted + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            random ^= random >> 27;
            let width = (after.end - after.start).as_micros() as u64;
            let after = after.start + Duration::from_micros(random % width.max(1));
            let incarnation = Some(incarnation);
            self.post(
                after,
                Due {
                    to,
                    incarnation,
                    input: Input::Timer(timer),
                },
            );
        }
        for timer in [Timer::Stabilize, Timer::Fingers, Timer::Join] {
            assert!(self.running(to, timer) <= 1, "{timer:?} of {to} runs twice");
        }
        let now = self.now;
        self.told
            .extend(net.events.into_iter().map(|event| (now, to, event)));
    }

    fn post(&mut self, after: Duration, due: Due) {
        self.posted += 1;
        self.queue.insert((self.now + after, self.posted), due);
    }

    /// How many such timers of the node, in its present incarnation, are under way.
    pub(super) fn running(&self, place: u8, timer: Timer) -> usize {
        let incarnation = self.nodes.get(&place).map(Node::incarnation);
        let same = |due: &&Due| {
            due.to == place && due.incarnation == incarnation && due.input == Input::Timer(timer)
        };
        self.queue.values().filter(same).count()
    }

    /// Lets the next thing happen, if it does so until then.
    pub(super) fn step(&mut self, until: Duration) -> bool {
        let Some(entry) = self
            .queue
            .first_entry()
            .filter(|next| next.key().0 <= until)
        else {
            return false;
        };
        let ((now, _), due) = entry.remove_entry();
        self.now = now;
        let arrives = match (&due.input, due.incarnation) {
            (Input::Message { from, .. }, _) => {
                !self.silent && self.side.contains(&place(*from)) == self.side.contains(&due.to)
            }
            (_, incarnation) => self.nodes.get(&due.to).map(Node::incarnation) == incarnation,
        };
        if arrives {
            self.input(due.to, due.input);
        }
        true
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
        self.now = until;
    }

    pub(super) fn node(&self, place: u8) -> &Node {
        &self.nodes[&place]
    }

    /// Who the neighbours of a member are: the predecessor, and the successors.
    pub(super) fn around(&self, place: u8) -> (u8, Vec<u8>) {
        around(self.node(place))
    }

    /// Each of these is a member, and its neighbours are exactly those of the ring of these.
    pub(super) fn assert_ideal(&self, places: &[u8]) {
        let mut ring = places.to_vec();
        ring.sort_unstable();
        for (at, &me) in ring.iter().enumerate() {
            let others: Vec<u8> = ring[at + 1..].iter().chain(&ring[..at]).copied().collect();
            let before = *others.last().unwrap_or(&me);
            let room = usize::from(self.config.successors).min(others.len());
            assert!(
                self.node(me).is_member(),
                "{me} is no member: {:?}",
                self.node(me)
            );
            assert_eq!(
                self.around(me),
                (before, others[..room].to_vec()),
                "around {me}"
            );
        }
    }

    /// What this node told, oldest first.
    pub(super) fn told_by(&self, place: u8) -> Vec<&Event> {
        self.told
            .iter()
            .filter(|(_, by, _)| *by == place)
            .map(|(_, _, event)| event)
            .collect()
    }

    /// How often any node told such a thing.
    pub(super) fn count(&self, such: impl Fn(&Event) -> bool) -> usize {
        self.told.iter().filter(|(_, _, event)| such(event)).count()
    }
}

pub(super) fn around(node: &Node) -> (u8, Vec<u8>) {
    let neighbours = node.neighbours();
    let successors = neighbours
        .successors()
        .iter()
        .map(|&peer| place(peer))
        .collect();
    (place(neighbours.predecessor()), successors)
}

/// One node that hears only what the test says.
pub(super) struct Bench {
    pub(super) node: Node,
    pub(super) net: Recorder,
}

/// The id under which the test asks the node.
pub(super) const ASKED: RequestId = RequestId::of_node(7, 7);

impl Bench {
    /// A node of no ring.
    pub(super) fn outside(me: u8) -> Bench {
        let node = Node::new(peer(me), config(3).into(), 1);
        Bench {
            node,
            net: Recorder::default(),
        }
    }

    /// A member with these neighbours, two attempts, and room for three successors.
    pub(super) fn member(me: u8, predecessor: u8, successors: &[u8]) -> Bench {
        let neighbours = Neighbours::given(peer(me), peer(predecessor), &peers(successors), 3);
        let node = Node::member(config(3).into(), 1, neighbours, Fingers::new());
        Bench {
            node,
            net: Recorder::default(),
        }
    }

    pub(super) fn handle(&mut self, input: Input) {
        let reply = match &input {
            Input::Message {
                message: Message::Reply { id, reply },
                ..
            } => Some((*id, reply.clone())),
            _ => None,
        };
        let told = self.net.events.len();
        let waited = self.node.requests.open();
        self.node.handle(input, &mut self.net);
        assert_sound(&self.node);
        if let Some((id, reply)) = reply {
            let waited = id.origin == Origin::node(1) && waited.contains_key(&id.number);
            self.assert_settled_once(id.number, &reply, waited, told);
        }
    }

    /// A reply was handled under a number under which something waited, or nothing. It is told as
    /// ignored, or it settles what waited, once and for all.
    fn assert_settled_once(&self, number: u32, reply: &Reply, waited: bool, told: usize) {
        let ignored = |event: &Event| match event {
            Event::Ignored(_, why) => Some(*why),
            _ => None,
        };
        let ignored: Vec<Ignored> = self.net.events[told..].iter().filter_map(ignored).collect();
        let waits = self.node.requests.waiter(number).is_some();
        assert!(ignored.len() <= 1, "{ignored:?}");
        if ignored.is_empty() {
            assert!(waited, "nobody asked, under {number}, for {reply:?}");
            assert!(!waits || *reply == Reply::Busy, "{number} is settled");
        } else {
            assert!(waits || !waited, "{ignored:?}, but nothing waits any more");
        }
    }

    /// What another node that is no member would say of itself.
    pub(super) fn hello(&self) -> Hello {
        Hello {
            incarnation: 1,
            ..self.node.hello()
        }
    }

    pub(super) fn timer(&mut self, timer: Timer) {
        self.handle(Input::Timer(timer));
    }

    pub(super) fn hear(&mut self, from: u8, message: Message) {
        self.handle(Input::Message {
            from: peer(from),
            message,
            took: None,
        });
    }

    pub(super) fn ask(&mut self, from: u8, request: Request) {
        self.hear(from, Message::Request { id: ASKED, request });
    }

    /// Answers the node's request of that number.
    pub(super) fn reply(&mut self, from: u8, number: u32, reply: Reply) {
        let id = RequestId::of_node(1, number);
        self.hear(from, Message::Reply { id, reply });
    }

    pub(super) fn late(&mut self, number: u32) {
        self.timer(Timer::Request(number));
    }

    pub(super) fn look_up(&mut self, token: u64, key: Id) {
        self.handle(Input::Lookup {
            token,
            key,
            traced: false,
        });
    }

    /// What it sent since this was last asked.
    pub(super) fn sent(&mut self) -> Vec<(u8, Message)> {
        self.net
            .take_sent()
            .into_iter()
            .map(|(to, message)| (place(to), message))
            .collect()
    }

    /// What it asked since then, with the number of each request; all else is passed over.
    pub(super) fn asked(&mut self) -> Vec<(u8, u32, Request)> {
        let requests = |(to, message)| match message {
            Message::Request { id, request } => Some((to, id.number, request)),
            _ => None,
        };
        self.sent().into_iter().filter_map(requests).collect()
    }

    /// The one request among these that is about the ring, not for the finger table.
    pub(super) fn question(&mut self) -> (u8, u32, Request) {
        let asked = self.asked();
        let [one] = &asked[..] else {
            panic!("not one question: {asked:?}")
        };
        one.clone()
    }

    /// What it replied to the test's questions since then.
    pub(super) fn replied(&mut self) -> Vec<(u8, Reply)> {
        let replies = |(to, message)| match message {
            Message::Reply { id: ASKED, reply } => Some((to, reply)),
            _ => None,
        };
        self.sent().into_iter().filter_map(replies).collect()
    }

    /// How the look-ups that ended since then did.
    pub(super) fn ended(&mut self) -> Vec<(u64, Result<u8, LookupError>)> {
        let lookups = |event| match event {
            Event::Lookup { token, result, .. } => {
                Some((token, result.map(|found| place(found.owner))))
            }
            _ => None,
        };
        self.net
            .take_events()
            .into_iter()
            .filter_map(lookups)
            .collect()
    }

    /// Begins a step of stabilization, and says under which number it asks its successor.
    pub(super) fn begin_step(&mut self) -> u32 {
        let before = around(&self.node);
        self.timer(Timer::Stabilize);
        let asked = self.asked();
        let question = asked
            .iter()
            .find(|(_, _, request)| *request == Request::Neighbours);
        let (to, number, _) = *question.as_ref().expect("a member asks its successor");
        assert_eq!(Some(to), before.1.first());
        *number
    }
}

/// A reply that names these neighbours.
pub(super) fn neighbours(of: u8, predecessor: u8, successors: &[u8]) -> Reply {
    let successors = list(of, successors);
    Reply::Neighbours {
        predecessor: peer(predecessor),
        successors,
    }
}
