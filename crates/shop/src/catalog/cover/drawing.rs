//! What is drawn beside the words of a cover: a few plain shapes, between two heights.

use std::f64::consts::PI;

use super::palette::Palette;
use super::{Chance, SIDE, write};

/// Draws between `top` and `bottom`; one of the two is an edge of the square.
pub(super) fn draw(
    out: &mut String,
    palette: &Palette,
    (top, bottom): (f64, f64),
    chance: &mut Chance,
) {
    write(out, format_args!("<svg y=\"{top}\" width=\"{SIDE}\" height=\"{}\">", bottom - top));
    let area = Area { height: bottom - top, at_foot: top > 0.0 };
    match chance.below(7) {
        0 => grooves(out, palette, area, chance),
        1 => bars(out, palette, area, chance),
        2 => sun(out, palette, area, chance),
        3 => tiles(out, palette, area, chance),
        4 => stripes(out, palette, area, chance),
        5 => waves(out, palette, area, chance),
        _ => dots(out, palette, area, chance),
    }
    out.push_str("</svg>");
}

/// Where a drawing has its place.
#[derive(Clone, Copy)]
struct Area {
    height: f64,
    /// It reaches the lower edge of the cover; else the upper one.
    at_foot: bool,
}

impl Area {
    /// The edge that is the cover's own.
    fn edge(self) -> f64 {
        if self.at_foot { self.height } else { 0.0 }
    }
}

fn circle(out: &mut String, (x, y): (f64, f64), radius: f64, paint: &str) {
    write(out, format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" {paint}/>"));
}

fn rect(out: &mut String, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
    write(
        out,
        format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{fill}\"/>"
        ),
    );
}

/// A record that lies half outside.
fn grooves(out: &mut String, palette: &Palette, area: Area, chance: &mut Chance) {
    let centre = (chance.between(170.0, 430.0), area.edge());
    let radius = area.height - 12.0;
    circle(out, centre, radius, &format!("fill=\"{}\"", palette.one));
    let rings = 5 + chance.below(6);
    for ring in 1..=rings {
        let part = 0.42 + 0.52 * count(ring) / count(rings);
        let paint = format!("fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"", palette.ground);
        circle(out, centre, radius * part, &paint);
    }
    circle(out, centre, radius * 0.34, &format!("fill=\"{}\"", palette.two));
    circle(out, centre, 9.0, &format!("fill=\"{}\"", palette.ground));
}

/// Bars of different heights, as of a level meter.
fn bars(out: &mut String, palette: &Palette, area: Area, chance: &mut Chance) {
    let number = 6 + chance.below(9);
    let step = SIDE / count(number);
    let bright = chance.below(number);
    for bar in 0..number {
        let height = chance.between(0.12, 1.0) * (area.height - 14.0);
        let y = if area.at_foot { area.height - height } else { 0.0 };
        let fill = if bar == bright { palette.two } else { palette.one };
        rect(out, (step * count(bar) + 3.0, y), (step - 6.0, height), fill);
    }
}

/// A disc over lines.
fn sun(out: &mut String, palette: &Palette, area: Area, chance: &mut Chance) {
    let radius = chance.between(0.32, 0.44) * area.height;
    let centre = (chance.between(radius + 20.0, SIDE - radius - 20.0), area.height * 0.46);
    circle(out, centre, radius, &format!("fill=\"{}\"", palette.two));
    let lines = 4 + chance.below(6);
    let first = area.height * 0.46;
    for line in 0..lines {
        let part = count(line) / count(lines);
        let y = first + part * (area.height - first - 8.0);
        rect(out, (0.0, y), (SIDE, 4.0 + 14.0 * part), palette.one);
    }
}

/// Squares with quarters of circles.
fn tiles(out: &mut String, palette: &Palette, area: Area, chance: &mut Chance) {
    let rows = 2 + chance.below(2);
    let side = area.height / count(rows);
    let columns = (1..12).find(|columns| count(*columns) * side >= SIDE).unwrap_or(12);
    for tile in 0..rows * columns {
        let (x, y) = (count(tile % columns) * side, count(tile / columns) * side);
        let (fill, other) = match chance.below(3) {
            0 => (palette.one, palette.two),
            1 => (palette.two, palette.ground),
            _ => (palette.ground, palette.one),
        };
        rect(out, (x, y), (side + 0.5, side + 0.5), fill);
        let far = |turned: bool, from: f64| if turned { from + side } else { from };
        let corner = chance.below(4);
        let (right, low) = (corner % 2 == 1, corner / 2 == 1);
        let sweep = u8::from(right == low);
        write(
            out,
            format_args!(
                "<path d=\"M{:.1} {:.1}V{:.1}A{side:.1} {side:.1} 0 0 {} {:.1} {:.1}Z\" \
                 fill=\"{other}\"/>",
                far(right, x),
                far(low, y),
                far(!low, y),
                1 - sweep,
                far(!right, x),
                far(low, y),
            ),
        );
    }
}

/// Slanted bands.
fn stripes(out: &mut String, palette: &Palette, area: Area, chance: &mut Chance) {
    let number = 3 + chance.below(5);
    let slant = chance.between(120.0, 320.0) * if chance.below(2) == 0 { 1.0 } else { -1.0 };
    let step = (SIDE + slant.abs()) / count(number);
    for stripe in 0..number {
        let x = count(stripe) * step - slant.max(0.0);
        let width = step * chance.between(0.3, 0.75);
        let fill = if stripe % 3 == 1 { palette.two } else { palette.one };
        write(
            out,
            format_args!(
                "<path d=\"M{x:.1} {h:.1}L{:.1} 0H{:.1}L{:.1} {h:.1}Z\" fill=\"{fill}\"/>",
                x + slant,
                x + slant + width,
                x + width,
                h = area.height,
            ),
        );
    }
}

/// Lines that swing.
fn waves(out: &mut String, palette: &Palette, area: Area, chance: &mut Chance) {
    let lines = 7 + chance.below(8);
    let swings = chance.between(1.0, 3.5);
    let begin = chance.between(0.0, 2.0 * PI);
    let room = area.height / count(lines + 1);
    let bright = chance.below(lines);
    for line in 0..lines {
        let middle = room * count(line + 1);
        let swing = room * 0.9 * (PI * count(line + 1) / count(lines + 1)).sin();
        let mut path = String::new();
        for step in 0..=60 {
            let x = SIDE * f64::from(step) / 60.0;
            let angle = begin + 2.0 * PI * swings * x / SIDE + 0.35 * count(line);
            let command = if step == 0 { 'M' } else { 'L' };
            write(&mut path, format_args!("{command}{x:.0} {:.1}", middle + swing * angle.sin()));
        }
        let stroke = if line == bright { palette.two } else { palette.one };
        write(
            out,
            format_args!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{:.1}\"/>",
                room * 0.34
            ),
        );
    }
}

/// A field of discs that grow.
fn dots(out: &mut String, palette: &Palette, area: Area, chance: &mut Chance) {
    let rows = 4 + chance.below(3);
    let step = area.height / count(rows);
    let columns = (1..24).find(|columns| count(*columns) * step >= SIDE).unwrap_or(24);
    let step_x = SIDE / count(columns);
    let (bright, grows) = (chance.below(rows * columns), chance.below(2) == 0);
    for dot in 0..rows * columns {
        let (row, column) = (dot / columns, dot % columns);
        let along = if grows { count(row) / count(rows) } else { count(column) / count(columns) };
        let radius = step.min(step_x) * (0.12 + 0.34 * along);
        let centre = (step_x * (count(column) + 0.5), step * (count(row) + 0.5));
        let is_bright = dot == bright;
        let fill = if is_bright { palette.two } else { palette.one };
        let radius = if is_bright { step.min(step_x) * 0.46 } else { radius };
        circle(out, centre, radius, &format!("fill=\"{fill}\""));
    }
}

fn count(number: usize) -> f64 {
    f64::from(u16::try_from(number).expect("few shapes"))
}
