//! What the script does to this world's machines, and what a conductor sees of the world.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use cuerda_core::chord::{Config, Input, Node};
use cuerda_core::ring::{Id, Neighbours, Peer};
use cuerda_core::store::MemoryStore;

use super::container::{Container, ContainerSpec, settings};
use super::{AGAIN, BEHIND, HEARSAY, Machine, Stage, Told, What, World, totals};
use crate::world::script::{
    self, Broken, Faults, Lifecycle, Orders, Script, network_faults::NetworkFaults, public,
};
use crate::world::{Digest, FailureObservations, NodeView, Time, Watcher, address_of, number_of};

impl crate::world::World for World {
    const NAME: &'static str = "containers";
    const REAL_TIME: bool = true;
    type Protocol = Node;

    fn origin(&self) -> Time {
        self.script.origin
    }

    fn epoch_ms(&self) -> u64 {
        self.clock.epoch_us / 1000
    }

    fn now(&self) -> Time {
        self.now
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    fn handled(&self) -> u64 {
        self.handled
    }

    fn delivered(&self) -> u64 {
        self.totals
            .sum()
            .received
            .saturating_sub(self.before.received)
    }

    fn lost(&self) -> u64 {
        let sent = self.totals.sum().sent.saturating_sub(self.before.sent);
        sent.saturating_sub(self.delivered())
    }

    fn bytes(&self) -> u64 {
        self.totals.sum().bytes.saturating_sub(self.before.bytes)
    }

    /// Nodes don't count what their bytes are for.
    fn repair_bytes(&self) -> Option<u64> {
        None
    }

    fn seen(&mut self) -> BTreeMap<usize, FailureObservations> {
        if self.late > 0 {
            self.notes.push(format!(
                "{} times somebody told something so late that others were heard first",
                std::mem::take(&mut self.late)
            ));
        }
        script::seen(self)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    fn outside(&self) -> usize {
        script::outside(self)
    }

    fn is_deserted(&self) -> bool {
        script::is_deserted(self)
    }

    fn calm(&mut self, watcher: &mut impl Watcher<Node>) {
        script::calm(self, watcher);
    }

    fn read(&mut self, key: Id, watcher: &mut impl Watcher<Node>) {
        script::read(self, key, watcher);
    }

    fn members(&self) -> usize {
        self.script.members.len()
    }

    fn each_member(&self) -> impl Iterator<Item = NodeView<'_, Neighbours>> {
        let members = self.script.members.all().iter();
        members.map(|&number| {
            let neighbours = &self.machines[number as usize].neighbours;
            NodeView {
                number,
                peer: neighbours.me(),
                view: neighbours,
            }
        })
    }

    fn run_until(&mut self, end: Time, watcher: &mut impl Watcher<Node>) {
        while self.broken.is_none() && self.now < end {
            let next = self.agenda.first_key_value().map(|(&(due, _), _)| due);
            let due = next.unwrap_or(end).min(end).max(self.now);
            // In small steps, so that what is told is passed on soon.
            let step = due.min(self.now + BEHIND / 4);
            self.wait_until(step + BEHIND);
            self.tell_until(step, watcher);
            if step == due {
                self.act(watcher);
            }
        }
    }

    fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }
}

impl World {
    /// A container of this machine runs.
    pub(super) fn runs(&mut self, number: u32, process: i32) {
        let machine = &mut self.machines[number as usize];
        if machine.stage != Stage::Starting || !machine.up {
            return;
        }
        machine.stage = Stage::Running;
        let paused = match &machine.container {
            Some(container) if machine.paused > 0 => container.pause(),
            _ => Ok(()),
        };
        if let Err(trouble) = paused.and(self.netfilter.runs(number, process)) {
            self.breaks(trouble.to_string());
        }
        self.watch();
    }

    /// A container of this machine tells nothing any more.
    pub(super) fn ended(&mut self, number: u32) {
        let machine = &mut self.machines[number as usize];
        // A container that ended without being stopped is noticed elsewhere.
        if machine.stage == Stage::Ending {
            machine.stage = Stage::Ended;
        }
    }

    /// Whose counters are read.
    fn watch(&self) {
        let machines = (0..).zip(&self.machines);
        let places = machines.filter(|(_, machine)| machine.up && machine.paused == 0);
        let places = places.map(|(number, machine)| (number, machine.epoch, self.control(number)));
        *self.poll.lock().unwrap_or_else(PoisonError::into_inner) = places.collect();
    }

    /// Starts a machine whose node is to join through these, or to found a ring if there are none.
    fn start(&mut self, number: u32, join: &[Peer]) {
        let places = join
            .iter()
            .filter_map(|peer| number_of(peer.address))
            .map(|other| format!("{}:4000", self.layout.address(other)))
            .collect::<Vec<String>>();
        let address = self.layout.address(number).to_string();
        let machine = &mut self.machines[number as usize];
        let spec = ContainerSpec {
            number,
            epoch: machine.epoch,
            name: self.engine.name(&format!("n{number}-{}", machine.epoch)),
            volume: self.engine.name(&format!("n{number}-disk{}", machine.disk)),
            network: self.layout.network(number).to_owned(),
            settings: settings(&self.config, &address, &places),
            address,
            key: machine.key,
            before: machine.container.take(),
        };
        let container = Container::begin(&self.engine, self.clock, spec, self.sender.clone());
        self.machines[number as usize].container = Some(container);
    }

    /// What is known of a node that has told nothing yet.
    fn alone(&self, number: u32, key: [u8; 32]) -> Neighbours {
        let me = Peer {
            id: Id::of_node(&public(key), 0),
            address: address_of(number),
        };
        Neighbours::alone(me, self.config.successors)
    }

    /// Reads what a machine has counted, before it can't be asked any more.
    fn count(&mut self, number: u32) {
        let machine = &self.machines[number as usize];
        if machine.up
            && machine.paused == 0
            && let Some(counted) = totals::read(&self.control(number))
        {
            self.totals.add(number, machine.epoch, counted);
        }
    }
}

impl Lifecycle for World {
    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }

    fn peer(&self, number: u32) -> Peer {
        self.machines[number as usize].neighbours.me()
    }

    fn view(&self, number: u32) -> &Neighbours {
        &self.machines[number as usize].neighbours
    }

    fn is_member(&self, number: u32) -> bool {
        self.machines[number as usize].member
    }

    /// Real nodes keep their remembered peers on disk.
    fn remembered(&self, _: u32) -> Vec<Peer> {
        Vec::new()
    }

    fn incarnation(&self, number: u32) -> u32 {
        self.machines[number as usize].epoch
    }

    fn script(&self) -> &Script {
        &self.script
    }

    fn script_mut(&mut self) -> &mut Script {
        &mut self.script
    }

    fn machines(&self) -> u32 {
        u32::try_from(self.machines.len()).expect("few machines fit")
    }

    fn is_up(&self, number: u32) -> bool {
        self.machines[number as usize].up
    }

    fn is_killed(&self, number: u32) -> bool {
        let stage = self.machines[number as usize].stage;
        matches!(stage, Stage::Ending | Stage::Ended)
    }

    fn add(&mut self) -> u32 {
        let number = self.machines();
        let key = self.script.next_key().seed;
        let neighbours = self.alone(number, key);
        self.machines.push(Machine {
            neighbours,
            member: false,
            key,
            disk: 0,
            disk_since: 0,
            up: false,
            epoch: 0,
            paused: 0,
            told: false,
            stage: Stage::Ended,
            killed: None,
            container: None,
        });
        number
    }

    /// Its container starts when it is told whom to join.
    fn boot(&mut self, number: u32) {
        let room = self.config.successors;
        let machine = &mut self.machines[number as usize];
        machine.neighbours = Neighbours::alone(machine.neighbours.me(), room);
        machine.member = false;
        machine.up = true;
        machine.stage = Stage::Starting;
        machine.epoch += 1;
    }

    /// Real nodes never start from tables.
    fn boot_member(&mut self, number: u32, _: Node) {
        self.breaks(format!("n{number} can't begin as a member: it has to join"));
    }

    fn resume(&mut self) {}

    /// The processes are killed, and everything that was told until then is passed on.
    fn kill(&mut self, numbers: &[u32], watcher: &mut impl Watcher<Node>) {
        for &number in numbers {
            self.count(number);
            self.machines[number as usize].stage = Stage::Ending;
        }
        std::thread::scope(|scope| {
            for &number in numbers {
                if let Some(container) = &self.machines[number as usize].container {
                    scope.spawn(|| container.kill());
                }
            }
        });
        let done = self.clock.real();
        for &number in numbers {
            self.machines[number as usize].killed = Some(done);
        }
        // Their logs are read to the end: what comes later would be taken for news.
        let patience = done + HEARSAY;
        while self.broken.is_none() && self.clock.real() < patience {
            self.wait_until(self.clock.real() + AGAIN);
            let has_ended = |number: &u32| self.machines[*number as usize].stage == Stage::Ended;
            if numbers.iter().all(has_ended) {
                break;
            }
        }
        self.wait_until(done + BEHIND);
        self.tell_until(done, watcher);
    }

    fn stop(&mut self, number: u32) {
        let machine = &mut self.machines[number as usize];
        machine.up = false;
        // A killed container is gone, and one that left ends by itself.
        let ends = matches!(machine.stage, Stage::Ending | Stage::Ended);
        machine.stage = Stage::Ending;
        if let Some(container) = machine.container.as_ref().filter(|_| !ends) {
            container.kill();
        }
        self.netfilter.ends(number);
        self.watch();
    }

    fn schedule(&mut self, time: Time, place: u32) {
        self.put += 1;
        self.agenda.insert((time, self.put), place);
    }
}

impl Faults for World {
    fn pause(&mut self, number: u32) {
        self.count(number);
        let machine = &mut self.machines[number as usize];
        machine.paused += 1;
        if machine.paused == 1
            && machine.stage == Stage::Running
            && let Some(Err(trouble)) = machine.container.as_ref().map(Container::pause)
        {
            self.breaks(trouble.to_string());
        }
        self.watch();
    }

    fn wake(&mut self, number: u32) {
        let machine = &mut self.machines[number as usize];
        machine.paused -= 1;
        if machine.paused == 0
            && machine.stage == Stage::Running
            && let Some(Err(trouble)) = machine.container.as_ref().map(Container::unpause)
        {
            self.breaks(trouble.to_string());
        }
        self.watch();
    }

    fn is_paused(&self, number: u32) -> bool {
        self.machines[number as usize].paused > 0
    }

    fn skew(&mut self, number: u32, _: i64) {
        self.breaks(format!("n{number} has the clock of its host"));
    }

    /// The key lay there too, beside the records: the next start has a new one.
    fn lose_disk(&mut self, number: u32) {
        let mut key = [0; 32];
        self.keys.fill(&mut key);
        let neighbours = self.alone(number, key);
        let machine = &mut self.machines[number as usize];
        machine.key = key;
        machine.neighbours = neighbours;
        machine.member = false;
        machine.disk += 1;
        machine.disk_since = machine.epoch + 1;
    }

    /// What lies on a disk here can't be changed from outside.
    fn with_store<T>(&mut self, _: u32, _: impl FnOnce(&mut MemoryStore) -> T) -> Option<T> {
        None
    }

    fn slow_disk(&mut self, number: u32, _: i64) {
        self.breaks(format!("the disk of n{number} can't be made slow"));
    }

    fn break_disk(&mut self, number: u32, how: Option<Broken>, _: &mut impl Watcher<Node>) {
        if how.is_some() {
            self.breaks(format!("the disk of n{number} can't be broken"));
        }
    }

    /// The network's own loss is not the scenario's.
    fn calm_network(&mut self) {}

    fn network_faults<T>(&mut self, act: impl FnOnce(&mut NetworkFaults) -> T) -> T {
        let done = self.netfilter.change(act);
        let applied = self.netfilter.apply(self.machines());
        if let Err(trouble) = applied {
            self.breaks(trouble.to_string());
        }
        done
    }

    fn seen_so_far(&mut self) -> FailureObservations {
        for number in 0..self.machines() {
            self.count(number);
        }
        self.totals.sum().seen
    }
}

impl Orders for World {
    fn order(&mut self, number: u32, input: Input, kind: &'static str, _: &mut impl Watcher<Node>) {
        match input {
            Input::Found => self.start(number, &[]),
            Input::Join(peers) => self.start(number, &peers),
            // Real nodes keep their remembered peers on disk.
            Input::Remember(_) => {}
            Input::Leave => {
                let (place, sender) = (self.control(number), self.sender.clone());
                let (epoch, at) = (self.machines[number as usize].epoch, self.now);
                super::beside(move || {
                    if let Err(why) = super::clients::leave(&place) {
                        let what = What::Unheard(format!("it does not leave: {why}"));
                        let _ = sender.send(Told {
                            at,
                            number,
                            epoch,
                            what,
                        });
                    }
                });
            }
            input => {
                if !self.ask(number, input) {
                    self.breaks(format!("n{number} can't be given the order {kind}"));
                }
            }
        }
    }

    fn lag(&self) -> Time {
        BEHIND
    }
}
