package baccarat

// RoadRows is how many cells a column of a road has.
const RoadRows = 6

// Bead is a result on the bead plate, which has each result of a shoe, column by
// column from the left, each from the top.
type Bead struct {
	Col int `json:"col"`
	Row int `json:"row"`
	Result
}

// BeadPlate is the bead plate of the results of a shoe.
func BeadPlate(results Results) []Bead {
	beads := make([]Bead, len(results))
	for i, r := range results {
		beads[i] = Bead{i / RoadRows, i % RoadRows, r}
	}
	return beads
}

// RoadCell is a cell of the big road.
type RoadCell struct {
	Col        int  `json:"col"`
	Row        int  `json:"row"`
	Winner     Spot `json:"winner"` // Player or Banker; Tie while nobody has won yet
	Ties       int  `json:"ties"`   // that came right after it; before the first winner, before it
	PlayerPair bool `json:"player_pair"`
	BankerPair bool `json:"banker_pair"`
}

// BigRoad is the big road of the results of a shoe: a column for each run of one
// winner, from the top. A run that has no cell below it goes on to the right: at
// the sixth row, and where an earlier run went along there. A run begins in the
// first column, right of where the last one began, whose top is free. Ties have no
// cells: they are counted in the last one.
func BigRoad(results Results) (cells []RoadCell) {
	taken := map[[2]int]bool{}
	start := -1 // column in which the present run began
	for _, r := range results {
		if r.Winner == Tie {
			if len(cells) == 0 {
				cells = append(cells, RoadCell{Winner: Tie})
			}
			cells[len(cells)-1].Ties++
			continue
		}
		cell := RoadCell{Winner: r.Winner, PlayerPair: r.PlayerPair, BankerPair: r.BankerPair}
		switch {
		case len(cells) == 1 && cells[0].Winner == Tie: // ties that came before
			cell.Ties, cells, start = cells[0].Ties, nil, 0
		case len(cells) > 0 && cells[len(cells)-1].Winner == r.Winner:
			last := cells[len(cells)-1]
			cell.Col, cell.Row = last.Col, last.Row+1
			// A run that has turned to the right stays in its row.
			if turned := last.Col > start; turned || cell.Row == RoadRows || taken[[2]int{cell.Col, cell.Row}] {
				cell.Col, cell.Row = last.Col+1, last.Row
			}
		default:
			for start++; taken[[2]int{start, 0}]; {
				start++
			}
			cell.Col = start
		}
		taken[[2]int{cell.Col, cell.Row}] = true
		cells = append(cells, cell)
	}
	return cells
}
