module penstock.tests/pause

go 1.22
