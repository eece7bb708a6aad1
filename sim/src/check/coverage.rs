//! How many stretches of the circle cover each place, and how many live places none covers.
//!
//! The ring checker asks after every event how many members are *principal*, that is, skipped by
//! no pair of neighbouring entries of anybody's successor list. A pair is an open stretch of the
//! circle and a place is an identifier somebody has mentioned; a stretch comes or goes in
//! O(log n), whatever lies inside.
//!
//! Places stand in blocks of at most `ROOM`, in the order of the circle, each with the count
//! of stretches that cover it. Over the blocks lies a segment tree that keeps, for each stretch
//! of blocks, the least count of a live place, how many live places have it, and what was added
//! to all of them at once. In a healthy ring the stretches between neighbours are empty and
//! nothing of this is touched.
//!
//! A place that appears later needs its count too. It is that of the gap it appears in: the
//! count of the place before plus the stretches that *start* there, which are counted apart. When
//! its block is full, all blocks are laid out anew, half filled; new places are spread evenly, so
//! that this costs O(n) about once in n/2 of them.
//!
//! It knows numbers of places and their order, no identifiers: those are the caller's.

/// The greatest number of places in a block: what a word of live bits holds.
const ROOM: usize = 64;
/// How many places a block gets when all are laid out anew.
const FILL: usize = ROOM / 2;
/// The least count where no place is live. Far above any sum of stretches.
const NOBODY: i32 = i32::MAX;

/// Some places, next to each other on the circle.
#[derive(Clone, Debug, Default)]
struct Block {
    places: Vec<u32>,
    /// For each place the stretches that cover it, without what the tree has added above.
    sums: Vec<i32>,
    /// A bit for each place, the lowest for the first.
    live: u64,
}

/// What the tree knows of a stretch of blocks.
#[derive(Clone, Copy, Debug)]
struct Summary {
    /// The least sum of a live place in it, its own `add` included; [`NOBODY`] without one.
    least: i32,
    /// How many live places have that sum.
    count: u32,
    /// What was added to all its places at once.
    add: i32,
}

const EMPTY: Summary = Summary {
    least: NOBODY,
    count: 0,
    add: 0,
};

impl Summary {
    fn plus(self, by: i32) -> Summary {
        let least = if self.count == 0 {
            NOBODY
        } else {
            self.least + by
        };
        Summary {
            least,
            count: self.count,
            add: self.add + by,
        }
    }
}

/// Where a place stands. The order of these is that of the circle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    block: u32,
    index: u32,
}

/// Places on the circle, which of them are live, and the stretches that cover them.
#[derive(Clone, Debug)]
pub(super) struct Coverage {
    blocks: Vec<Block>,
    /// A heap: the root at 1, the summary of block i at `leaves + i`.
    tree: Vec<Summary>,
    /// A power of two, at least the number of blocks.
    leaves: usize,
    /// By place; meaningless for one that is not here.
    at: Vec<At>,
    /// By place: the stretches that start there.
    starts: Vec<i32>,
}

impl Default for Coverage {
    fn default() -> Coverage {
        Coverage::new(&[], |_| false, std::iter::empty())
    }
}

impl Coverage {
    /// All places at once, in the order of the circle, and the stretches from place to place
    /// that cover them. Costs one step for each of either.
    pub(super) fn new(
        order: &[u32],
        live: impl Fn(u32) -> bool,
        stretches: impl Iterator<Item = (u32, u32)>,
    ) -> Coverage {
        let numbers = order.iter().max().map_or(0, |&most| most as usize + 1);
        let mut position = vec![0; numbers];
        for (index, &place) in order.iter().enumerate() {
            position[place as usize] = index;
        }
        let mut starts = vec![0; numbers];
        // By position: how the count changes from the one before.
        let mut steps = vec![0; order.len() + 1];
        for (from, to) in stretches {
            starts[from as usize] += 1;
            let (from, to) = (position[from as usize], position[to as usize]);
            steps[from + 1] += 1;
            steps[to] -= 1;
            if to <= from {
                steps[0] += 1;
            }
        }
        let sums = steps.iter().scan(0, |sum, step| {
            *sum += step;
            Some(*sum)
        });
        let rows = order
            .iter()
            .zip(sums)
            .map(|(&place, sum)| (place, sum, live(place)));
        let mut coverage = Coverage {
            blocks: Vec::new(),
            tree: Vec::new(),
            leaves: 0,
            at: vec![At::default(); numbers],
            starts,
        };
        coverage.lay_out(rows.collect());
        coverage
    }

    /// How many live places no stretch covers.
    pub(super) fn uncovered(&self) -> usize {
        let root = self.tree[1];
        if root.least == 0 {
            root.count as usize
        } else {
            0
        }
    }

    /// How many stretches cover a place.
    pub(super) fn covering(&self, place: u32) -> i32 {
        let At { block, index } = self.at[place as usize];
        self.blocks[block as usize].sums[index as usize] + self.added(block as usize)
    }

    /// Lets `by` more stretches, or fewer, lead from one place to another, covering neither.
    /// From a place to itself they cover all others.
    pub(super) fn stretch(&mut self, from: u32, to: u32, by: i32) {
        self.starts[from as usize] += by;
        let (mut after, to) = (self.at[from as usize], self.at[to as usize]);
        after.index += 1;
        if after <= to {
            self.add(after, to, by);
        } else {
            let last = self.blocks.len() - 1;
            let end = At {
                block: last as u32,
                index: self.blocks[last].places.len() as u32,
            };
            self.add(after, end, by);
            self.add(At::default(), to, by);
        }
    }

    /// Whether a place counts among the live ones from now on.
    pub(super) fn set_live(&mut self, place: u32, live: bool) {
        let At { block, index } = self.at[place as usize];
        let bits = &mut self.blocks[block as usize].live;
        *bits = *bits & !(1 << index) | u64::from(live) << index;
        self.refresh(block as usize);
    }

    /// A new place, not live and with no stretches of its own, next after another one; or the
    /// first of all in the order given to [`Coverage::new`], which as the circle goes comes
    /// after the last.
    pub(super) fn insert(&mut self, place: u32, after: Option<u32>) {
        let numbers = self.at.len().max(place as usize + 1);
        self.at.resize(numbers, At::default());
        self.starts.resize(numbers, 0);
        self.starts[place as usize] = 0;
        let last = self.blocks.last().and_then(|block| block.places.last());
        let Some(before) = after.or(last.copied()) else {
            return self.lay_out(vec![(place, 0, false)]);
        };
        let sum = self.covering(before) + self.starts[before as usize];
        let spot = |coverage: &Coverage| match after.map(|after| coverage.at[after as usize]) {
            Some(at) => (at.block as usize, at.index as usize + 1),
            None => (0, 0),
        };
        let (mut block, mut index) = spot(self);
        if self.blocks[block].places.len() == ROOM {
            self.retain(|_| true);
            (block, index) = spot(self);
        }
        let sum = sum - self.added(block);
        let row = &mut self.blocks[block];
        row.places.insert(index, place);
        row.sums.insert(index, sum);
        let below = (1 << index) - 1;
        row.live = row.live & below | (row.live & !below) << 1;
        for (index, &place) in row.places.iter().enumerate().skip(index) {
            self.at[place as usize].index = index as u32;
        }
        self.at[place as usize].block = block as u32;
    }

    /// Lays all out anew with these places only. Those that go must have no stretch of theirs.
    pub(super) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        let mut rows = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            let added = self.added(index);
            for (bit, (&place, &sum)) in block.places.iter().zip(&block.sums).enumerate() {
                if keep(place) {
                    rows.push((place, sum + added, block.live >> bit & 1 == 1));
                }
            }
        }
        self.lay_out(rows);
    }

    fn lay_out(&mut self, rows: Vec<(u32, i32, bool)>) {
        self.blocks.clear();
        for (number, rows) in rows.chunks(FILL).enumerate() {
            let mut block = Block::default();
            for (index, &(place, sum, live)) in rows.iter().enumerate() {
                block.places.push(place);
                block.sums.push(sum);
                block.live |= u64::from(live) << index;
                self.at[place as usize] = At {
                    block: number as u32,
                    index: index as u32,
                };
            }
            self.blocks.push(block);
        }
        self.leaves = self.blocks.len().next_power_of_two();
        self.tree = vec![EMPTY; 2 * self.leaves];
        for (summary, block) in self.tree[self.leaves..].iter_mut().zip(&self.blocks) {
            *summary = least(block);
        }
        for node in (1..self.leaves).rev() {
            self.tree[node] = self.joined(node);
        }
    }

    /// What was added to a whole block from above.
    fn added(&self, block: usize) -> i32 {
        let up = std::iter::successors(Some(self.leaves + block), |node| Some(node / 2));
        up.take_while(|&node| node > 0)
            .map(|node| self.tree[node].add)
            .sum()
    }

    /// Adds to all places from one on up to another, which is left out.
    fn add(&mut self, from: At, to: At, by: i32) {
        let (first, last) = (from.block as usize, to.block as usize);
        if first == last {
            self.add_in(first, from.index as usize, to.index as usize, by);
            return;
        }
        let end = self.blocks[first].places.len();
        self.add_in(first, from.index as usize, end, by);
        self.add_blocks(first + 1, last, by);
        self.add_in(last, 0, to.index as usize, by);
    }

    /// The same within a block.
    fn add_in(&mut self, block: usize, from: usize, to: usize, by: i32) {
        let row = &mut self.blocks[block];
        for sum in &mut row.sums[from..to] {
            *sum += by;
        }
        if from < to && row.live >> from != 0 {
            self.refresh(block);
        }
    }

    /// The same for blocks as a whole.
    fn add_blocks(&mut self, from: usize, to: usize, by: i32) {
        if from >= to {
            return;
        }
        let (mut low, mut high) = (self.leaves + from, self.leaves + to);
        while low < high {
            if low % 2 == 1 {
                self.tree[low] = self.tree[low].plus(by);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                self.tree[high] = self.tree[high].plus(by);
            }
            (low, high) = (low / 2, high / 2);
        }
        self.refresh_above(self.leaves + from);
        self.refresh_above(self.leaves + to - 1);
    }

    fn refresh(&mut self, block: usize) {
        let node = self.leaves + block;
        let add = self.tree[node].add;
        self.tree[node] = Summary {
            add: 0,
            ..least(&self.blocks[block])
        }
        .plus(add);
        self.refresh_above(node);
    }

    fn refresh_above(&mut self, mut node: usize) {
        while node > 1 {
            node /= 2;
            self.tree[node] = self.joined(node);
        }
    }

    /// What a node's two children say together.
    fn joined(&self, node: usize) -> Summary {
        let (a, b) = (self.tree[2 * node], self.tree[2 * node + 1]);
        let least = a.least.min(b.least);
        let of = |side: Summary| if side.least == least { side.count } else { 0 };
        Summary {
            least,
            count: of(a) + of(b),
            add: 0,
        }
        .plus(self.tree[node].add)
    }
}

/// A block's own summary, without what was added from above.
fn least(block: &Block) -> Summary {
    // Without branches: which places are live is nothing a processor could foresee.
    let sums = block.sums.iter().enumerate().map(|(index, &sum)| {
        let dead = (block.live >> index & 1).wrapping_sub(1) as i32;
        sum & !dead | NOBODY & dead
    });
    let least = sums.clone().min().unwrap_or(NOBODY);
    if least == NOBODY {
        return EMPTY;
    }
    let count = sums.map(|sum| u32::from(sum == least)).sum();
    Summary {
        least,
        count,
        add: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, by going round place by place.
    #[derive(Clone, Debug, Default)]
    struct Naive {
        order: Vec<u32>,
        live: Vec<u32>,
        stretches: Vec<(u32, u32)>,
    }

    impl Naive {
        fn covering(&self, place: u32) -> i32 {
            let n = self.order.len();
            let position = |place| self.order.iter().position(|&p| p == place).unwrap();
            let covers = |&&(from, to): &&(u32, u32)| {
                let start = position(from) + 1;
                let inside = (start..start + n).take_while(|at| self.order[at % n] != to);
                inside.into_iter().any(|at| self.order[at % n] == place)
            };
            self.stretches.iter().filter(covers).count() as i32
        }

        fn uncovered(&self) -> usize {
            let live = self.live.iter();
            live.filter(|&&place| self.covering(place) == 0).count()
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(usize),
        Live(usize),
        Stretch(usize, usize),
        Retract(usize),
        Forget,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => any::<usize>().prop_map(Step::Insert),
            6 => any::<usize>().prop_map(Step::Live),
            4 => any::<(usize, usize)>().prop_map(|(a, b)| Step::Stretch(a, b)),
            4 => any::<usize>().prop_map(Step::Retract),
            1 => Just(Step::Forget),
        ]
    }

    fn take(naive: &mut Naive, coverage: &mut Coverage, number: u32, step: &Step) {
        let n = naive.order.len();
        match *step {
            Step::Insert(at) => {
                let at = at % (n + 1);
                let after = at.checked_sub(1).map(|before| naive.order[before]);
                coverage.insert(number, after);
                naive.order.insert(at, number);
            }
            Step::Live(at) if n > 0 => {
                let place = naive.order[at % n];
                let was = naive.live.len();
                naive.live.retain(|&live| live != place);
                let live = naive.live.len() == was;
                naive.live.extend(live.then_some(place));
                coverage.set_live(place, live);
            }
            Step::Stretch(a, b) if n > 0 => {
                let (a, b) = (naive.order[a % n], naive.order[b % n]);
                naive.stretches.push((a, b));
                coverage.stretch(a, b, 1);
            }
            Step::Retract(at) if !naive.stretches.is_empty() => {
                let at = at % naive.stretches.len();
                let (a, b) = naive.stretches.swap_remove(at);
                coverage.stretch(a, b, -1);
            }
            Step::Forget => {
                let used = |place| {
                    naive
                        .stretches
                        .iter()
                        .any(|&(a, b)| place == a || place == b)
                };
                let keep: Vec<u32> = naive
                    .order
                    .iter()
                    .copied()
                    .filter(|&place| naive.live.contains(&place) || used(place))
                    .collect();
                coverage.retain(|place| keep.contains(&place));
                naive.order = keep;
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn it_counts_as_one_does_by_hand(steps in prop::collection::vec(step(), 0..150)) {
            let (mut naive, mut coverage) = (Naive::default(), Coverage::default());
            for (number, step) in steps.iter().enumerate() {
                take(&mut naive, &mut coverage, number as u32, step);
                prop_assert_eq!(coverage.uncovered(), naive.uncovered());
            }
            for &place in &naive.order {
                prop_assert_eq!(coverage.covering(place), naive.covering(place));
            }
        }

        /// More places than fit a few blocks, so that the tree has its say, and all on one spot,
        /// so that blocks fill.
        #[test]
        fn it_counts_over_many_blocks(
            steps in prop::collection::vec(step(), 0..60), crowd in 0usize..200, spot: usize
        ) {
            let order: Vec<u32> = (0..150).collect();
            let stretches: Vec<(u32, u32)> = (0..150).map(|p| (p, (p + 2) % 150)).collect();
            let mut naive = Naive { order, live: (0..140).collect(), stretches };
            let mut coverage =
                Coverage::new(&naive.order, |p| p < 140, naive.stretches.iter().copied());
            for number in 0..crowd {
                take(&mut naive, &mut coverage, 150 + number as u32, &Step::Insert(spot % 151));
            }
            for (number, step) in steps.iter().enumerate() {
                take(&mut naive, &mut coverage, 400 + number as u32, step);
            }
            prop_assert_eq!(coverage.uncovered(), naive.uncovered());
            for &place in &naive.order {
                prop_assert_eq!(coverage.covering(place), naive.covering(place));
            }
        }
    }

    #[test]
    fn a_ring_without_stretches_leaves_all_uncovered() {
        let order: Vec<u32> = (0..1000).rev().collect();
        let coverage = Coverage::new(&order, |place| place % 2 == 0, std::iter::empty());
        assert_eq!(coverage.uncovered(), 500);
        assert_eq!(Coverage::default().uncovered(), 0);
    }
}
