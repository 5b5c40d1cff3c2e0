module stillwatch

go 1.26
