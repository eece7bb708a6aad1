//! How an operation asks: it keeps a [`Question`], polls it, and reads an [`AskOutcome`].
//!
//! Request ids, timers, retries and the wait after a `Busy` are hidden here, so that an
//! operation is a plain story. A question is to an operation what a leaf future is to an async
//! function, with [`Ask`] in the place of the context.

use crate::chord::Node;
use std::task::{Poll, ready};
use std::time::Duration;

use super::config::Config;
use super::limits;
use super::message::{Message, Reply, Request};
use super::open_requests::Waiter;
use super::record_message::{RecordReply, RecordRequest, Stamped};
use super::requests::Requests;
use super::variant::{Variant, Variation};
use crate::chord::{Event, Timer};
use crate::protocol::{Ignored, Network, RequestId, Step};
use crate::record::{Stamp, StampClock};
use crate::ring::Peer;

/// What has come in for one question: the input that is being handled.
#[derive(Clone, Debug)]
pub(super) enum Settled {
    /// This peer's reply.
    Reply(Peer, Reply),
    Late,
}

impl Settled {
    /// What it is called in the trace of a look-up.
    const fn step(&self) -> Step {
        match self {
            Settled::Late => Step::Silent,
            Settled::Reply(_, reply) => Step::Answered(match reply {
                Reply::Owner => "owner",
                Reply::Covered(_) => "covered",
                Reply::Closer(_) => "closer",
                Reply::Before(_) => "before",
                Reply::Records(_) => "about records",
                Reply::NotMember => "not a member",
                Reply::Busy => "busy",
                _ => "unfit",
            }),
        }
    }
}

/// A node's means of asking, for the time of one input.
#[derive(Debug)]
pub(super) struct Ask<'a, N> {
    net: &'a mut N,
    requests: &'a mut Requests,
    /// Who asks.
    waiter: Waiter,
    timeout: Duration,
    settled: Option<(u32, Settled)>,
    /// The stamp clock, for messages about records.
    clock: Option<&'a mut StampClock>,
    /// The token of the client's look-up whose steps are told.
    traced: Option<u64>,
    variation: Variation,
}

impl Requests {
    /// The means of asking, for the time of one input: what came in with it is `settled`.
    #[inline]
    pub(super) fn ask<'a, N: Network<Node>>(
        &'a mut self,
        net: &'a mut N,
        config: &Config,
        waiter: Waiter,
        settled: Option<(u32, Settled)>,
    ) -> Ask<'a, N> {
        let timeout = self.timeout(config);
        Ask {
            variation: config.variation(),
            ..Ask::new(net, self, waiter, timeout, settled)
        }
    }
}

impl<'a, N: Network<Node>> Ask<'a, N> {
    pub(super) fn new(
        net: &'a mut N,
        requests: &'a mut Requests,
        waiter: Waiter,
        timeout: Duration,
        settled: Option<(u32, Settled)>,
    ) -> Ask<'a, N> {
        Ask {
            net,
            requests,
            waiter,
            timeout,
            settled,
            clock: None,
            traced: None,
            variation: Variation::default(),
        }
    }

    /// Which mistake the node makes, if any.
    pub(super) const fn variation(&self) -> Variation {
        self.variation
    }

    /// Whether the node makes this mistake.
    #[inline(always)]
    pub(super) fn is_variant(&self, variant: Variant) -> bool {
        self.variation.is(variant)
    }

    /// The same, with a stamp clock.
    pub(super) fn stamped(self, clock: &'a mut StampClock) -> Ask<'a, N> {
        let clock = Some(clock);
        Ask { clock, ..self }
    }

    /// The same, for a look-up of which each step is told.
    pub(super) fn traced(self, token: u64) -> Ask<'a, N> {
        let traced = Some(token);
        Ask { traced, ..self }
    }

    /// Tells a step of a look-up, if this is one that is traced.
    #[inline]
    fn tell(&mut self, peer: Peer, step: impl FnOnce() -> Step) {
        if let Some(token) = self.traced {
            let step = step();
            self.net.emit(Event::Step { token, peer, step });
        }
    }

    /// Takes what came in, if it is for the request of this number to this peer. A reply of
    /// another's, who was not asked, is dropped.
    fn take(&mut self, to: Peer, number: u32) -> Option<Settled> {
        let (_, settled) = self.settled.take_if(|(of, _)| *of == number)?;
        if let Settled::Reply(from, _) = &settled
            && from.id != to.id
        {
            self.net.emit(Event::Ignored(*from, Ignored::Unasked));
            return None;
        }
        self.tell(to, || settled.step());
        Some(settled)
    }

    /// Takes in the clocks that came with a reply about records. A stamp that is too far ahead is
    /// left alone, as everywhere.
    fn heard(&mut self, from: Peer, stamp: Stamp, theirs: u64) {
        if self.is_variant(Variant::ClocksNotHeard) {
            return;
        }
        if let Some(clock) = &mut self.clock {
            let mine = self.net.wall_clock();
            clock.compare(from.address, theirs, mine);
            let _ = clock.heard(stamp, mine);
        }
    }

    /// The world, for what is no question.
    pub(super) fn net(&mut self) -> &mut N {
        self.net
    }

    /// How long a reply may take.
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The number of a new question or pause.
    fn begin(&mut self) -> u32 {
        self.requests.begin(self.waiter)
    }

    /// Nothing more is waited for under this number.
    fn end(&mut self, number: u32) {
        self.requests.end(number);
    }

    /// The id of the request of this number.
    const fn id(&self, number: u32) -> RequestId {
        RequestId::of_node(self.requests.incarnation(), number)
    }

    fn send(&mut self, to: Peer, number: u32, request: Request) {
        let id = self.id(number);
        self.net.send(to, Message::Request { id, request });
        self.tell(to, || Step::Asked);
        self.wait_for(number);
    }

    fn wait_for(&mut self, number: u32) {
        self.wait(number, self.timeout);
    }

    fn wait(&mut self, number: u32, time: Duration) {
        self.net.set_timer(Timer::Request(number), time..time);
    }
}

/// How a question ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AskOutcome {
    /// A reply that fits the request.
    Reply(Reply),
    /// No reply in time, as often as was to be asked; or "not a member".
    Silence,
    /// "Busy", and then nothing: alive, but without an answer. Nobody is presumed dead.
    Undecided,
}

/// One question to one peer, asked as often as it has attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) to: Peer,
    /// The number of the open request; zero before the first.
    number: u32,
    attempts: u8,
    /// How often the wait may still be extended, once the peer has said `Busy`.
    waits: Option<u8>,
    /// How many time-outs one attempt lasts.
    patience: u8,
}

impl Question {
    pub(super) const fn new(to: Peer, attempts: u8) -> Question {
        Question {
            to,
            number: 0,
            attempts,
            waits: None,
            patience: 1,
        }
    }

    /// Its operation ends without its answer, or with another's.
    pub(super) fn give_up<N: Network<Node>>(&self, ask: &mut Ask<'_, N>) {
        if self.number != 0 {
            ask.end(self.number);
        }
    }

    /// Whether the peer has said that it is busy, and will answer later.
    pub(super) const fn is_put_off(&self) -> bool {
        self.waits.is_some()
    }

    /// Asks, if it has not yet; else looks whether what came in settles it.
    pub(super) fn poll<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
        request: impl Fn() -> Request,
    ) -> Poll<AskOutcome> {
        if self.number == 0 {
            self.number = ask.begin();
            ask.send(self.to, self.number, request());
            return Poll::Pending;
        }
        let answer = match ask.take(self.to, self.number) {
            None => return Poll::Pending,
            Some(Settled::Reply(_, Reply::Busy)) => {
                self.waits = self.waits.or(Some(limits::BUSY_WAITS));
                return Poll::Pending;
            }
            Some(Settled::Reply(_, Reply::NotMember)) => AskOutcome::Silence,
            Some(Settled::Reply(_, reply)) if request().is_answered_by(&reply) => {
                AskOutcome::Reply(reply)
            }
            Some(Settled::Reply(..)) => {
                ask.net.emit(Event::Ignored(self.to, Ignored::Unfit));
                return Poll::Pending;
            }
            Some(Settled::Late) => ready!(self.late(ask, request)),
        };
        ask.end(self.number);
        Poll::Ready(answer)
    }

    fn late<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
        request: impl Fn() -> Request,
    ) -> Poll<AskOutcome> {
        match &mut self.waits {
            Some(0) => return Poll::Ready(AskOutcome::Undecided),
            Some(waits) => {
                *waits -= 1;
                ask.wait_for(self.number);
            }
            None if self.attempts <= 1 => return Poll::Ready(AskOutcome::Silence),
            None => {
                self.attempts -= 1;
                // Under the same number: a late reply to the first is as good as one to this.
                ask.send(self.to, self.number, request());
            }
        }
        Poll::Pending
    }
}

impl Question {
    /// The same for a question about records: the reply, or `None` for silence. Asked again, it
    /// says what is asked then.
    pub(super) fn poll_records<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
        body: impl Fn(&mut N) -> RecordRequest,
    ) -> Poll<Option<RecordReply>> {
        if self.number == 0 {
            self.number = ask.begin();
            self.send_records(ask, body);
            return Poll::Pending;
        }
        let reply = match ask.take(self.to, self.number) {
            None => return Poll::Pending,
            Some(Settled::Reply(_, Reply::Records(reply))) => {
                let Stamped {
                    clock, now, body, ..
                } = *reply;
                ask.heard(self.to, clock, now);
                Some(body)
            }
            Some(Settled::Reply(_, Reply::NotMember)) => None,
            Some(Settled::Late) if self.attempts <= 1 => None,
            Some(Settled::Late) => {
                self.attempts -= 1;
                self.send_records(ask, body);
                return Poll::Pending;
            }
            Some(Settled::Reply(..)) => {
                ask.net.emit(Event::Ignored(self.to, Ignored::Unfit));
                return Poll::Pending;
            }
        };
        ask.end(self.number);
        Poll::Ready(reply)
    }

    fn send_records<N: Network<Node>>(
        &self,
        ask: &mut Ask<'_, N>,
        body: impl Fn(&mut N) -> RecordRequest,
    ) {
        let body = body(ask.net);
        let id = ask.id(self.number);
        let stamped = match &ask.clock {
            Some(clock) => Stamped::by(clock, ask.net.wall_clock(), body),
            None => Stamped::new(Stamp::ZERO, body),
        };
        let request = Request::Records(Box::new(stamped));
        ask.net.send(self.to, Message::Request { id, request });
        ask.wait(self.number, ask.timeout * u32::from(self.patience));
    }

    /// For a question whose answer takes the asked node several round trips of its own: waits so
    /// many times as long.
    pub(super) const fn patiently(mut self, times: u8) -> Question {
        self.patience = times;
        self
    }
}

/// Some time that passes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Pause {
    number: u32,
}

impl Pause {
    /// Nobody waits for its end any more.
    pub(super) fn give_up<N: Network<Node>>(&self, ask: Ask<'_, N>) {
        if self.number != 0 {
            ask.requests.end(self.number);
        }
    }

    pub(super) fn poll<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
        time: Duration,
    ) -> Poll<()> {
        if self.number == 0 {
            self.number = ask.begin();
            ask.wait(self.number, time);
            return Poll::Pending;
        }
        match ask.settled.take_if(|(number, _)| *number == self.number) {
            Some((_, Settled::Late)) => {
                ask.end(self.number);
                Poll::Ready(())
            }
            Some((_, Settled::Reply(from, _))) => {
                ask.net.emit(Event::Ignored(from, Ignored::Unasked));
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }
}

impl Request {
    /// Whether this reply is of a kind that answers this request.
    const fn is_answered_by(&self, reply: &Reply) -> bool {
        match self {
            Request::Hello(_) => matches!(
                reply,
                Reply::Hello(_) | Reply::Joining { .. } | Reply::Refused(_)
            ),
            Request::Ping => matches!(reply, Reply::Pong),
            Request::Neighbours => matches!(reply, Reply::Neighbours { .. }),
            Request::Find { confirm: false, .. } => {
                matches!(reply, Reply::Owner | Reply::Covered(_) | Reply::Closer(_))
            }
            Request::Find { confirm: true, .. } => matches!(reply, Reply::Owner | Reply::Before(_)),
            Request::Leaving { .. } => matches!(reply, Reply::Noted),
            Request::Records(_) => matches!(reply, Reply::Records(_)),
            Request::Copies => matches!(reply, Reply::Copies(_)),
        }
    }
}

/// Drives an operation against a list of answers, for the tests of operations.
#[cfg(test)]
pub(super) mod script {
    use super::*;
    use crate::chord::Recorder;

    /// What each asked peer does: reply, or stay silent.
    pub(crate) type Script<'a> = dyn FnMut(Peer, &Request) -> Option<Reply> + 'a;

    /// Who waits for the replies.
    pub(crate) const ASKER: Waiter = Waiter::Membership;

    /// Polls until the operation is done, answering each request by the script; returns the
    /// outcome and whom it asked what, in order.
    ///
    /// # Panics
    /// If it neither asks nor ends within 10,000 steps.
    pub(crate) fn drive<T>(
        poll: impl FnMut(&mut Ask<'_, Recorder>) -> Poll<T>,
        script: &mut Script<'_>,
    ) -> (T, Vec<(Peer, Request)>) {
        drive_in(&mut Recorder::default(), poll, script)
    }

    /// The same in this world, whose store the operation uses.
    pub(crate) fn drive_in<T>(
        net: &mut Recorder,
        mut poll: impl FnMut(&mut Ask<'_, Recorder>) -> Poll<T>,
        script: &mut Script<'_>,
    ) -> (T, Vec<(Peer, Request)>) {
        let (mut requests, mut asked) = (Requests::new(1), Vec::new());
        let timeout = Duration::from_millis(500);
        let mut due = Vec::new();
        let mut settled = None;
        for _ in 0..10_000 {
            let mut ask = Ask::new(net, &mut requests, ASKER, timeout, settled.take());
            if let Poll::Ready(outcome) = poll(&mut ask) {
                assert!(requests.open().is_empty(), "done, it waits for nothing");
                return (outcome, asked);
            }
            let mut waits: Vec<u32> = Vec::new();
            for (timer, _) in net.take_timers() {
                if let Timer::Request(number) = timer {
                    waits.push(number);
                }
            }
            for (to, message) in net.take_sent() {
                let Message::Request { id, request } = message else {
                    continue;
                };
                waits.retain(|number| *number != id.number);
                let reply = script(to, &request);
                let settled = reply.map_or(Settled::Late, |reply| Settled::Reply(to, reply));
                due.push((id.number, settled));
                asked.push((to, request));
            }
            // A pause ends by itself.
            let pauses = |number: &u32| due.iter().all(|(other, _)| other != number);
            waits.retain(pauses);
            due.extend(waits.into_iter().map(|number| (number, Settled::Late)));
            assert!(!due.is_empty(), "the operation neither asks nor ends");
            settled = Some(due.remove(0));
        }
        panic!("the operation does not end");
    }

    /// A reply about records.
    pub(crate) fn told(body: RecordReply) -> Option<Reply> {
        let clock = Stamp::ZERO;
        Some(Reply::Records(Box::new(Stamped::new(clock, body))))
    }

    /// What a request asks about records.
    pub(crate) fn body(request: &Request) -> &RecordRequest {
        match request {
            Request::Records(stamped) => &stamped.body,
            other => panic!("not about records: {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::script::{ASKER, drive};
    use super::*;
    use crate::ring::test_peers::peer;

    fn ping(attempts: u8, replies: &mut Vec<Option<Reply>>) -> (AskOutcome, usize) {
        let mut question = Question::new(peer(7), attempts);
        let (answer, asked) = drive(|ask| question.poll(ask, || Request::Ping), &mut |_, _| {
            replies.remove(0)
        });
        (answer, asked.len())
    }

    #[test]
    fn the_first_reply_answers() {
        let answer = ping(2, &mut vec![Some(Reply::Pong)]);
        assert_eq!(answer, (AskOutcome::Reply(Reply::Pong), 1));
    }

    #[test]
    fn silence_counts_when_all_attempts_are_used_up() {
        assert_eq!(
            ping(3, &mut vec![None, None, None]),
            (AskOutcome::Silence, 3)
        );
        let answer = ping(2, &mut vec![None, Some(Reply::Pong)]);
        assert_eq!(answer, (AskOutcome::Reply(Reply::Pong), 2));
    }

    #[test]
    fn who_is_no_member_counts_as_silent_at_once() {
        assert_eq!(
            ping(3, &mut vec![Some(Reply::NotMember)]),
            (AskOutcome::Silence, 1)
        );
    }

    #[test]
    fn busy_is_no_silence_and_its_wait_is_bounded() {
        use crate::chord::Recorder;
        let (mut net, mut requests) = (Recorder::default(), Requests::new(1));
        let mut question = Question::new(peer(7), 1);
        let timeout = Duration::from_millis(500);
        let mut poll = |settled: Option<Settled>| {
            let settled = settled.map(|settled| (1, settled));
            let mut ask = Ask::new(&mut net, &mut requests, ASKER, timeout, settled);
            question.poll(&mut ask, || Request::Neighbours)
        };
        assert_eq!(poll(None), Poll::Pending);
        let busy = Settled::Reply(peer(7), Reply::Busy);
        assert_eq!(poll(Some(busy)), Poll::Pending);
        for _ in 0..limits::BUSY_WAITS {
            assert_eq!(poll(Some(Settled::Late)), Poll::Pending);
        }
        assert_eq!(
            poll(Some(Settled::Late)),
            Poll::Ready(AskOutcome::Undecided)
        );
        assert_eq!(
            (net.sent.len(), net.timers.len()),
            (1, 1 + usize::from(limits::BUSY_WAITS))
        );
    }

    #[test]
    fn a_reply_of_another_kind_is_ignored_and_told() {
        use crate::chord::Recorder;
        let (mut net, mut requests) = (Recorder::default(), Requests::new(1));
        let mut question = Question::new(peer(7), 1);
        let timeout = Duration::from_millis(500);
        let mut ask = Ask::new(&mut net, &mut requests, ASKER, timeout, None);
        assert!(question.poll(&mut ask, || Request::Ping).is_pending());
        let settled = Some((1, Settled::Reply(peer(7), Reply::Owner)));
        let mut ask = Ask::new(&mut net, &mut requests, ASKER, timeout, settled);
        assert!(question.poll(&mut ask, || Request::Ping).is_pending());
        assert_eq!(net.events, [Event::Ignored(peer(7), Ignored::Unfit)]);
    }
}
