//! The curve as SVG: how often a run fails if chance goes another way, over the moments. It draws
//! what it is given and reads nothing.

use cuerda_sim::explore::Point;
use plotters::prelude::*;

use super::super::Failure;

const SIZE: (u32, u32) = (760, 400);
const LINE: RGBColor = RGBColor(0xb0, 0x3a, 0x2e);

/// The whole SVG document.
pub(super) fn draw(title: &str, check: &str, curve: &[Point]) -> Result<String, Failure> {
    let mut svg = String::new();
    paint(title, check, curve, &mut svg)
        .map_err(|error| Failure::Other(format!("can't draw the figure: {error}")))?;
    Ok(svg)
}

fn paint(
    title: &str,
    check: &str,
    curve: &[Point],
    svg: &mut String,
) -> Result<(), Box<dyn std::error::Error>> {
    let end = curve.last().map_or(1.0, |point| point.at_s.max(1.0));
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.0..1.02)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(1)
        .x_label_formatter(&|seconds| format!("{seconds:.0}"))
        .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
        .x_desc("simulated seconds at which chance goes another way")
        .y_desc(format!("`{check}` fails"))
        .label_style(("sans-serif", 14))
        .draw()?;
    let points = curve.iter().map(|point| (point.at_s, point.share()));
    chart.draw_series(LineSeries::new(points.clone(), LINE.stroke_width(2)))?;
    chart.draw_series(points.map(|point| Circle::new(point, 3, LINE.filled())))?;
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_drawn() {
        let point = |at_s, failed| Point {
            at_s,
            failed,
            forks: 4,
        };
        let curve = [point(0.0, 1), point(30.0, 2), point(60.0, 4)];
        let svg = draw("A title", "lost", &curve).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("A title") && svg.contains("`lost` fails"));
        assert_eq!(draw("", "", &[]).unwrap().matches("<circle").count(), 0);
    }
}
