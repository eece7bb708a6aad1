//! What others published, as data.
//!
//! No table of the papers was read again for this: every figure of a paper is *remembered*, and
//! beside it stands what *reproduced* it, where something did:
//!
//! * path length and Table II: a small simulation, independent of this program. It counts as
//!   we do: to the predecessor for the path length; for Table II it ends at the first node whose
//!   successor list covers the key and counts the owner. Table II: 5 rings of 1,000 nodes,
//!   4,000 look-ups each; path length: 4,000 look-ups for each size.
//! * Table III: the simulator of the papers' authors (github.com/sit/dht, `simulator/`, commit
//!   bec5b62e of November 2001), compiled and run; two values are two seeds.
//!
//! Papers: Stoica et al., *Chord*, SIGCOMM 2001 (Tables II and III) and IEEE/ACM Transactions on
//! Networking 11(1), 2003 (figure 10, path length).

/// A mean and the percentiles printed with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measure {
    pub(crate) mean: f64,
    pub(crate) low: u64,
    pub(crate) high: u64,
}

const fn measure(mean: f64, low: u64, high: u64) -> Measure {
    Measure { mean, low, high }
}

/// A ring of 2^k nodes with fingers only; hops up to the predecessor. The papers say that the
/// mean is about half of log₂N and show it with the 1st and 99th percentiles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathLength {
    pub(crate) k: u8,
    /// 1st and 99th percentiles.
    pub(crate) reproduced: Measure,
}

impl PathLength {
    /// What the papers give for the mean: ½ log₂N.
    pub(crate) fn remembered(self) -> f64 {
        f64::from(self.k) / 2.0
    }
}

const fn path_length(k: u8, mean: f64, p1: u64, p99: u64) -> PathLength {
    PathLength {
        k,
        reproduced: measure(mean, p1, p99),
    }
}

/// 2003, figure 10.
pub(crate) const PATH_LENGTHS: [PathLength; 12] = [
    path_length(3, 1.44, 0, 3),
    path_length(4, 1.84, 0, 4),
    path_length(5, 2.34, 0, 4),
    path_length(6, 2.80, 0, 5),
    path_length(7, 3.36, 1, 6),
    path_length(8, 3.84, 1, 7),
    path_length(9, 4.34, 1, 7),
    path_length(10, 4.91, 2, 8),
    path_length(11, 5.38, 2, 9),
    path_length(12, 5.85, 2, 10),
    path_length(13, 6.39, 2, 10),
    path_length(14, 6.88, 3, 11),
];

/// A share of 1,000 nodes fails at once and nobody repairs; 10th and 90th percentiles (the 1st
/// and 99th don't fit).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failures {
    /// The share that fails, in per cent.
    pub(crate) percent: u8,
    pub(crate) path: Measure,
    pub(crate) timeouts: Measure,
    pub(crate) path_reproduced: Measure,
    pub(crate) timeouts_reproduced: Measure,
}

/// In the order of the paper's table: path, time-outs; then both as reproduced.
const fn failures(percent: u8, measures: [Measure; 4]) -> Failures {
    let [path, timeouts, path_reproduced, timeouts_reproduced] = measures;
    Failures {
        percent,
        path,
        timeouts,
        path_reproduced,
        timeouts_reproduced,
    }
}

/// 2001, Table II. No look-up failed at any share, remembered and reproduced (0 of 20,000).
pub(crate) const FAILURES: [Failures; 6] = [
    failures(
        0,
        [
            measure(3.84, 2, 5),
            measure(0.0, 0, 0),
            measure(3.84, 2, 5),
            measure(0.0, 0, 0),
        ],
    ),
    failures(
        10,
        [
            measure(4.03, 2, 6),
            measure(0.60, 0, 2),
            measure(4.00, 2, 6),
            measure(0.45, 0, 2),
        ],
    ),
    failures(
        20,
        [
            measure(4.22, 2, 6),
            measure(1.17, 0, 3),
            measure(4.18, 2, 6),
            measure(1.01, 0, 3),
        ],
    ),
    failures(
        30,
        [
            measure(4.44, 2, 6),
            measure(2.02, 0, 5),
            measure(4.48, 2, 6),
            measure(1.94, 0, 5),
        ],
    ),
    failures(
        40,
        [
            measure(4.69, 2, 7),
            measure(3.23, 0, 8),
            measure(4.76, 3, 7),
            measure(3.12, 0, 7),
        ],
    ),
    failures(
        50,
        [
            measure(5.09, 3, 8),
            measure(5.10, 0, 11),
            measure(5.19, 3, 8),
            measure(5.00, 0, 11),
        ],
    ),
];

/// Failed look-ups in 10,000, in every row of Table II.
pub(crate) const FAILED_IN_FAILURES: f64 = 0.0;

/// About 1,000 nodes; joins and graceful leaves at a rate of R a second each; 1st and 99th
/// percentiles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Churn {
    /// R in hundredths a second.
    pub(crate) rate_percent: u8,
    pub(crate) path: Measure,
    pub(crate) timeouts: Measure,
    /// Failed look-ups in 10,000. Rests on memory alone: the authors' simulator counts documents
    /// not found, which is another thing, and gives 0 to 71.
    pub(crate) failed: f64,
    /// The authors' simulator, one entry for each seed; empty where it was not run.
    pub(crate) path_reproduced: &'static [f64],
    pub(crate) timeouts_reproduced: &'static [f64],
}

const fn churn(
    rate_percent: u8,
    (path, timeouts, failed): (Measure, Measure, f64),
    path_reproduced: &'static [f64],
    timeouts_reproduced: &'static [f64],
) -> Churn {
    Churn {
        rate_percent,
        path,
        timeouts,
        failed,
        path_reproduced,
        timeouts_reproduced,
    }
}

/// 2001, Table III.
pub(crate) const CHURN: [Churn; 8] = [
    churn(
        5,
        (measure(3.90, 1, 9), measure(0.05, 0, 2), 0.0),
        &[3.78, 3.84],
        &[0.06],
    ),
    churn(
        10,
        (measure(3.83, 1, 9), measure(0.11, 0, 2), 0.0),
        &[3.80],
        &[0.11],
    ),
    churn(
        15,
        (measure(3.84, 1, 9), measure(0.16, 0, 2), 2.0),
        &[],
        &[],
    ),
    churn(
        20,
        (measure(3.81, 1, 9), measure(0.23, 0, 3), 5.0),
        &[3.79],
        &[0.25],
    ),
    churn(
        25,
        (measure(3.83, 1, 9), measure(0.30, 0, 3), 6.0),
        &[],
        &[],
    ),
    churn(
        30,
        (measure(3.91, 1, 9), measure(0.34, 0, 4), 8.0),
        &[],
        &[],
    ),
    churn(
        35,
        (measure(3.94, 1, 10), measure(0.42, 0, 4), 16.0),
        &[],
        &[],
    ),
    churn(
        40,
        (measure(4.06, 1, 10), measure(0.46, 0, 5), 15.0),
        &[4.00, 4.04],
        &[0.54, 0.51],
    ),
];
