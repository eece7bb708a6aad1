//! Deletions that nobody was told are done may take effect, and be forgotten.

use super::*;

#[test]
fn what_a_deletion_may_have_replaced_that_nobody_was_told_is_done_is_not_demanded_after_its_time() {
    // All drop the write at this second; the deletion is as old as it is, or is known to half of them.
    let dropped = |second: u64, half: Option<u64>| {
        let mut story = Story::new();
        story.write(SECOND, 1000, &[1, 2, 3]);
        let delete = Issued {
            deletes: true,
            at: 10 * SECOND,
            ..issued(9, KEY)
        };
        story.0.write_issued(delete);
        if let Some(stamp) = half {
            story.acknowledge(11 * SECOND, 9, stamp, &[], 3);
            story.found();
        }
        for machine in [1, 2, 3] {
            story.batch(second * SECOND, machine, KEY, None);
        }
        story.found()
    };
    assert_eq!(dropped(68, None), [("lost", None)], "it is remembered");
    assert_eq!(dropped(72, None), []);
    assert_eq!(dropped(72, Some(10_000)), []);
    assert_eq!(dropped(68, Some(10_000)), [("lost", None)]);
    assert_eq!(dropped(72, Some(900)), [("lost", None)], "it came before");
}
