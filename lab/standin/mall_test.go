package standin_test

import "testing"

const mall = "../../examples/12st-mall/storm.json"

func TestAnOrderLeadsToADeliveryAndLessStock(t *testing.T) {
	c := newCluster(t)
	c.model("12st-mall", read(t, mall))
	order, delivery, product := c.start("order", nil), c.start("delivery", nil), c.start("product", nil)
	product.send("POST", "/inventories", `{"productName":"TV","price":1290.50,"stock":10}`, 201)
	order.send("POST", "/orders", `{"customerId":"c1","productId":1,"productName":"TV","qty":3,"address":"Seoul"}`, 201)
	delivery.has("/deliveries/1", `"orderId":1,"productId":1,"productName":"TV","qty":3,"customerId":"c1","address":"Seoul","courier":null,"status":"DeliveryStarted"`)
	order.has("/myPages/1", `"deliveryId":1`)
	order.has("/myPages/1", `"deliveryStatus":"DeliveryStarted"`)
	delivery.send("PUT", "/deliveries/1/complete", `{"courier":"Kim"}`, 200)
	product.has("/inventories/1", `"price":1290.50,"stock":7`)
	order.has("/myPages/1", `"deliveryStatus":"DeliveryCompleted"`)
	order.send("DELETE", "/orders/1", "", 204)
	delivery.has("/deliveries/1", `"status":"DeliveryCancelled"`)
	product.has("/inventories/1", `"stock":10`)
	order.has("/myPages/1", `"orderStatus":"OrderCancelled","deliveryStatus":"DeliveryCancelled"`)
}
